/** Shared by the webgpu tests: one device, skips with a reason, kernels by name, float64 comparison. @module */
import { assert, assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { tensorOf } from "../../lib/tensor/init.ts";
import type { Tensor, TensorOf } from "../../lib/tensor/types.ts";
import { gaussian, mulberry32 } from "../../lib/tensor/random.ts";
import { initWebgpu } from "../../lib/tensor/webgpu/init.ts";

const found = await initWebgpu({ allowSoftware: true });

/** Registers a test that runs on webgpu inside `noLeak`, or is skipped with the reason in its name. */
export function gpuTest(name: string, body: () => Promise<void>): void {
  const reason = "reason" in found ? found.reason : undefined;
  Deno.test({
    name: reason === undefined ? name : `${name} (skipped: ${reason})`,
    ignore: reason !== undefined,
    sanitizeResources: false,
    sanitizeOps: false,
    fn: async () => {
      await initWebgpu({ allowSoftware: true });
      await tf.setBackend("webgpu");
      await noLeak(body);
    },
  });
}

/** Fails when `body` leaves a tensor, or data of a tensor, behind. */
export async function noLeak(body: () => Promise<void>): Promise<void> {
  const before = { tensors: tf.memory().numTensors, data: tf.engine().backend.numDataIds() };
  await body();
  const after = { tensors: tf.memory().numTensors, data: tf.engine().backend.numDataIds() };
  assertEquals(after, before, "tensors or data left behind");
}

/** Runs a kernel by its name. */
export function run(name: string, inputs: Record<string, Tensor>, attrs: object = {}): Tensor[] {
  const result = tf.engine().runKernel(name, inputs as never, attrs as never) as unknown as Tensor | Tensor[];
  return Array.isArray(result) ? result : [result];
}

/** Standard normal numbers, rounded to float32, as float64. */
export function randoms(length: number, seed: number, scale = 1): Float64Array {
  const rng = mulberry32(seed);
  return Float64Array.from({ length }, () => Math.fround(scale * gaussian(rng)));
}

/** A tensor of these numbers. */
export function tensor<const Shape extends readonly number[]>(
  values: ArrayLike<number>,
  shape: Shape,
): TensorOf<Shape> {
  return tensorOf(Float32Array.from(values), shape);
}

/** Asserts `|got - want| <= tolerance (1 + |want|)` for every element, and disposes the tensor. */
export async function assertNear(got: Tensor, want: ArrayLike<number>, tolerance: number, label = ""): Promise<void> {
  const values = await got.data();
  got.dispose();
  assertEquals(values.length, want.length, `${label}: length`);
  let worst = 0;
  let at = 0;
  for (let i = 0; i < want.length; i++) {
    const off = Math.abs(values[i]! - want[i]!) / (1 + Math.abs(want[i]!));
    if (!(off <= worst)) [worst, at] = [off, i];
  }
  assert(worst <= tolerance, `${label}: element ${at} is ${values[at]}, expected ${want[at]}: off by ${worst}`);
}

/** Loss `Σ w y` over all outputs, and its gradients, on both backends: webgpu must agree with plain steps on cpu. */
export async function assertGpuLikeCpu(
  shapes: number[][],
  f: (...inputs: Tensor[]) => Tensor[],
  options: { tolerance?: number; scale?: number; label?: string } = {},
): Promise<void> {
  const { tolerance = 3e-6, scale = 1, label = "" } = options;
  const run = async (backend: string): Promise<Float32Array[]> => {
    await tf.setBackend(backend);
    const inputs = shapes.map((shape, i) => tensor(randoms(tf.util.sizeFromShape(shape), i + 1, scale), shape));
    const outputs = tf.tidy(() => f(...inputs));
    const { value, grads } = tf.valueAndGrads((...all: Tensor[]) =>
      tf.addN(f(...all).map((y, i) => tf.sum(tf.mul(y, tensor(randoms(y.size, 90 + i), y.shape))))) as tf.Scalar
    )(inputs);
    const all = [...outputs, value, ...grads];
    const values = await Promise.all(all.map((t) => t.data() as Promise<Float32Array>));
    tf.dispose([...all, ...inputs]);
    return values;
  };
  const want = await run("cpu");
  const got = await run("webgpu");
  assertEquals(got.length, want.length);
  for (const [i, values] of want.entries()) {
    const largest = values.reduce((top, x) => Math.max(top, Math.abs(x)), 1e-3);
    const scaled = (x: Float32Array) => x.map((one) => one / largest);
    await assertNear(tensor(scaled(got[i]!), [values.length]), scaled(values), tolerance, `${label} output ${i}`);
  }
}
