/** The reference numbers of make_dense_fixtures.py. @module */
import * as tf from "@tensorflow/tfjs";
import { assert } from "@std/assert";
import { mapTensors, namedTensors } from "../../lib/tensor/params.ts";
import type { Tensor } from "../../lib/tensor/types.ts";

// deno-lint-ignore no-explicit-any
export const FIXTURE: any = JSON.parse(
  await Deno.readTextFile(new URL("./fixtures/dense.json", import.meta.url)),
  (_, value) => typeof value === "string" && value.startsWith("= ") ? value.slice(2).split(" ").map(Number) : value,
);

/** Asserts that every number of the tensor is within `tolerance` of the reference, relative to 1 + |reference|. */
export async function assertNear(
  actual: Tensor,
  wanted: readonly number[],
  tolerance: number,
  what: string,
): Promise<void> {
  const values = await actual.data();
  assert(values.length === wanted.length, `${what}: ${values.length} numbers, wanted ${wanted.length}`);
  let worst = 0;
  wanted.forEach((w, i) => worst = Math.max(worst, Math.abs(values[i]! - w) / (1 + Math.abs(w))));
  assert(worst <= tolerance, `${what}: off by ${worst}, allowed ${tolerance}`);
}

/** The tree with the reference's weights in it; names that the reference lacks keep theirs. */
export function withReference<T>(tree: T, weights: Record<string, number[]>): T {
  const names = new Set(namedTensors(tree).keys());
  for (const name of Object.keys(weights)) assert(names.has(name), `the tree has no "${name}"`);
  return mapTensors(tree, (tensor, name) => weights[name] ? tf.tensor(weights[name], tensor.shape) : tensor);
}
