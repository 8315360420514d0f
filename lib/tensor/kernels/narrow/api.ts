/** Weights at half their bytes on webgpu: float16 in the device's memory, float32 in every sum. @module */
import type { Tensor } from "../../types.ts";
import { isCompilingOnly } from "../../webgpu/device_cache.ts";
import { checkFloat, hasKernel, runKernel } from "../run.ts";

/** Largest finite float16. */
const LARGEST = 65504;

/** Whether the current backend keeps such tensors; others would round them and take as many bytes. */
export function canNarrow(): boolean {
  return hasKernel("AceNarrow");
}

/**
 * The numbers rounded to float16, two bytes each in memory. Products read them as they are; before any other operation, and when
 * they are read back, they are widened. Outside the gradient tape: for weights that are not trained.
 *
 * @param x Float32, of a multiple of four numbers.
 * @returns Same shape, float32 to whoever reads it. The caller disposes it.
 * @throws {RangeError} If a number is beyond 65,504, float16's largest, or not one.
 * @throws {TypeError} If `x` is not float32, or its numbers are no multiple of four.
 */
export async function narrowed<T extends Tensor>(x: T): Promise<T> {
  checkFloat("narrow", { x });
  if (x.size % 4 !== 0) {
    throw new TypeError(`Cannot narrow x as its numbers must be a multiple of four: current number is ${x.size}`);
  }
  const values = isCompilingOnly() ? undefined : await x.data();
  const beyond = (values ?? []).findIndex((value) => !(Math.abs(value) <= LARGEST));
  if (beyond >= 0) {
    throw new RangeError(
      `Cannot narrow x as its numbers must be at most ${LARGEST}: current value is ${
        values![beyond]
      } (place ${beyond})`,
    );
  }
  return runKernel("AceNarrow", { x }, {});
}
