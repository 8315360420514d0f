/** A function whose inside is computed again for its gradient, so that only its input is kept. @module */
import * as tf from "@tensorflow/tfjs";
import { customGrad, gradientsOf } from "../tensor/gradients.ts";
import type { Tensor } from "../tensor/types.ts";

/** What {@linkcode recomputed} needs. */
export interface Recomputed<T extends Tensor> {
  /** The input. */
  x: T;
  /** Other tensors the function reads that have no gradient and may be gone by then. */
  constants: readonly Tensor[];
  /** Tensors whose gradients are wanted besides the input's; they must outlive the gradient. */
  leaves: readonly Tensor[];
  /** From the input and the constants. */
  f: (x: T, constants: readonly Tensor[]) => T;
}

/**
 * `f(x)`, with the same gradient for `x` and the leaves. Nothing computed inside stays in memory; the gradient runs `f`
 * once more. Exact, dropout included, as long as `f` gives the same numbers twice.
 *
 * Source: Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016.
 *
 * @returns What `f` returns. The caller disposes it.
 */
export function recomputed<T extends Tensor>({ x, constants, leaves, f }: Recomputed<T>): T {
  return customGrad<Tensor[], [T, ...Tensor[]], T>([x, ...leaves], () => ({
    value: f(x, constants),
    saved: [x, ...constants],
    gradFunc: (dy, saved) => gradients(dy, saved, leaves, f),
  }));
}

function gradients<T extends Tensor>(
  dy: Tensor,
  [x, ...constants]: readonly [T, ...Tensor[]],
  leaves: readonly Tensor[],
  f: Recomputed<T>["f"],
): Tensor[] {
  const { value, grads } = gradientsOf<Tensor>(() => f(x, constants), [x, ...leaves], dy);
  value.dispose();
  return [x, ...leaves].map((leaf, i) => grads[i] ?? tf.zerosLike(leaf));
}
