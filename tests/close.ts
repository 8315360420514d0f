/** Comparisons of tensors for tests. @module */
import * as tf from "@tensorflow/tfjs";
import { assert } from "@std/assert";
import type { Tensor } from "../lib/tensor/types.ts";

/** The largest absolute difference of two tensors of one shape. */
export async function largestDifference(a: Tensor, b: Tensor): Promise<number> {
  assert(a.shape.join() === b.shape.join(), `shapes differ: [${a.shape}] and [${b.shape}]`);
  const [x, y] = [await a.data(), await b.data()];
  let largest = 0;
  for (let i = 0; i < x.length; i++) largest = Math.max(largest, Math.abs(x[i]! - y[i]!));
  return largest;
}

/** Asserts that two tensors differ by at most `tolerance` anywhere. */
export async function assertClose(a: Tensor, b: Tensor, tolerance: number, what: string): Promise<void> {
  const difference = await largestDifference(a, b);
  assert(difference <= tolerance, `${what}: largest difference ${difference} is over ${tolerance}`);
}

/** Asserts that the body leaves as many tensors as it found. */
export async function noLeak(body: () => Promise<void>): Promise<void> {
  const before = tf.memory().numTensors;
  await body();
  const after = tf.memory().numTensors;
  assert(after === before, `tensors leaked: ${before} before, ${after} after`);
}
