/** Dropout with a mask that depends on the seed alone. @module */
import type { Tensor } from "../../types.ts";
import { checkFloat, runKernel } from "../run.ts";
import "./gradient.ts";

/** Options of {@linkcode dropout}. */
export interface DropoutOptions {
  /** The share of elements set to 0; in `[0, 1)`. */
  rate: number;
  /** A 32-bit integer: the same seed gives the same mask on every backend. */
  seed: number;
}

/**
 * Sets a share `rate` of the elements to 0 and multiplies the others by `1 / (1 - rate)`.
 *
 * Counter-based: element `i` is kept iff `fmix32(i * 0x9E3779B1 ^ seed) >= rate * 2^32`, all in 32 bits, where fmix32 is
 * MurmurHash3's finaliser. Nothing is stored for the gradient: it applies the same mask again.
 *
 * Source: Srivastava et al., Dropout, 2014 (inverted form, as `torch.nn.Dropout`).
 *
 * @param x Any shape, float32.
 * @param options Rate and seed.
 * @returns Shape of `x`; a clone if the rate is 0. The caller disposes it.
 * @throws {TypeError} If `x` is not float32.
 * @throws {RangeError} If the rate is not in `[0, 1)` or the seed is not an integer.
 */
export function dropout<T extends Tensor>(x: T, options: DropoutOptions): T {
  const { rate, seed } = options;
  checkFloat("drop elements of", { x });
  if (!(rate >= 0 && rate < 1)) {
    throw new RangeError(`Cannot drop elements as the rate must be in [0, 1): current value is ${rate}`);
  }
  if (!Number.isInteger(seed)) {
    throw new RangeError(`Cannot drop elements as the seed must be an integer: current value is ${seed}`);
  }
  return rate === 0 ? x.clone() : runKernel("AceDropout", { x }, { rate, seed: seed >>> 0 });
}
