/** The only makers of errors about tensors and their shapes. @module */
import * as tf from "@tensorflow/tfjs";
import { checkRecord, checkValue, needed, type Rule } from "../platform/options.ts";
import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D, TensorOf } from "./types.ts";

type Ranks = [Scalar, Tensor1D, Tensor2D, Tensor3D, Tensor4D];

/** Whether a tensor has that many axes. */
function hasRank<Rank extends 0 | 1 | 2 | 3 | 4>(tensor: Tensor, rank: Rank): tensor is Ranks[Rank] {
  return tensor.rank === rank;
}

/**
 * A tensor with the type of its rank.
 *
 * @throws {TypeError} If there is none, or it has another.
 */
export function ofRank<Rank extends 0 | 1 | 2 | 3 | 4>(
  tensor: Tensor | undefined,
  rank: Rank,
  what: string,
): Ranks[Rank] {
  if (tensor && hasRank(tensor, rank)) return tensor;
  throw new TypeError(`Cannot use ${what} as it must have ${rank} axes: current shape is [${tensor?.shape ?? "none"}]`);
}

/** What a tensor must be. */
export const TENSOR: Rule = { must: "a tensor", type: "object", allows: (value) => value instanceof tf.Tensor };

/** What a tensor of so many axes must be. */
export function tensorOfRank(rank: number): Rule {
  const allows = (value: unknown): boolean => value instanceof tf.Tensor && value.rank === rank;
  return { ...TENSOR, must: `a tensor of rank ${rank}`, allows };
}

/**
 * Checks a tensor's shape against a pattern: a number must be equal, `null` may be anything.
 *
 * @throws {TypeError} Naming what was wanted and what was found.
 */
export function checkShape(tensor: Tensor, pattern: readonly (number | null)[], what: string): void {
  const wanted = (): string => `[${pattern.map((size) => size ?? "*").join(", ")}]`;
  if (!(tensor instanceof tf.Tensor)) {
    checkValue(`use ${what}`, "it", tensor, { ...TENSOR, must: `a tensor of shape ${wanted()}` });
  }
  const fits = tensor.shape.length === pattern.length &&
    pattern.every((size, i) => size === null || size === tensor.shape[i]);
  if (!fits) {
    throw new TypeError(`Cannot use ${what} as it must have shape ${wanted()}: current shape is [${tensor.shape}]`);
  }
}

/** A tensor with the type of another of its rank. @throws {TypeError} If their ranks differ. */
export function ranked<T extends Tensor>(tensor: Tensor, like: T): T {
  if (hasRankOf(tensor, like)) return tensor;
  throw new TypeError(`Cannot use a tensor as it must have ${like.rank} axes: current shape is [${tensor.shape}]`);
}

function hasRankOf<T extends Tensor>(tensor: Tensor, like: T): tensor is T {
  return tensor.rank === like.rank;
}

/** A tensor with the type of a shape that is written out. @throws {TypeError} If their ranks differ. */
export function shaped<Shape extends readonly number[]>(tensor: Tensor, shape: Shape): TensorOf<Shape> {
  if (hasAxesOf(tensor, shape)) return tensor;
  throw new TypeError(`Cannot use a tensor as its shape must be [${shape}]: current shape is [${tensor.shape}]`);
}

function hasAxesOf<Shape extends readonly number[]>(tensor: Tensor, shape: Shape): tensor is Tensor & TensorOf<Shape> {
  return tensor.rank === shape.length;
}

/**
 * Checks that a layer's weights are there.
 *
 * @param layer What cannot be applied, such as `a linear layer`.
 * @param names Names of the leaves; those within other records with a point: `down.weight`. One that may be left out ends in `?`.
 * @throws {TypeError} If one is no tensor; the message names it.
 */
export function checkWeights(layer: string, params: unknown, names: readonly string[]): void {
  for (const name of names) {
    const path = name.replace(/\?$/, "").split(".");
    const leaf = name.endsWith("?") ? TENSOR : needed(TENSOR);
    let [node, place] = [params, "its weights"];
    for (const [i, key] of path.entries()) {
      checkRecord(`apply ${layer}`, place, node, i === path.length - 1 ? { [key]: leaf } : {});
      node = Reflect.get(Object(node), key);
      place = `${place}.${key}`;
    }
  }
}
