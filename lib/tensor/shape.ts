/** The only makers of shape errors. @module */
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

/**
 * Checks a tensor's shape against a pattern: a number must be equal, `null` may be anything.
 *
 * @throws {TypeError} Naming what was wanted and what was found.
 */
export function checkShape(tensor: Tensor, pattern: readonly (number | null)[], what: string): void {
  const fits = tensor.shape.length === pattern.length &&
    pattern.every((size, i) => size === null || size === tensor.shape[i]);
  if (!fits) {
    const wanted = pattern.map((size) => size ?? "*").join(", ");
    throw new TypeError(`Cannot use ${what} as it must have shape [${wanted}]: current shape is [${tensor.shape}]`);
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
