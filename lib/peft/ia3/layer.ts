/** (IA)^3 in a linear layer. @module */
import * as tf from "@tensorflow/tfjs";
import { type FrozenLinear, frozenLinear, type LinearUpdate, type UpdateMethod } from "../../nn/linear.ts";
import type { Tensor1D, Tensor2D } from "../../tensor/types.ts";
import { mul } from "../../tensor/typed.ts";

/** A learned factor of each input or output of a layer. */
export interface Ia3Params extends LinearUpdate {
  /** l, ones at first; shape `[in]` or `[out]`. */
  factors: Tensor1D;
  /** What is multiplied: what goes in, or what comes out, bias included. */
  side: "input" | "output";
}

/** `(l ⊙ x) Wᵀ + b`, or `l ⊙ (x Wᵀ + b)`. Source: Liu et al. 2022, arXiv 2205.05638, Eq. (1). */
const IA3_LAYER: UpdateMethod = {
  name: "ia3",
  apply: ({ factors, side }: Ia3Params, layer, rows): Tensor2D =>
    tf.tidy(() =>
      side === "input" ? frozenLinear(layer, tf.mul(rows, factors)) : tf.mul(frozenLinear(layer, rows), factors)
    ),
  merge({ factors, side }: Ia3Params, layer): FrozenLinear {
    if (side === "input") return { ...layer, weight: tf.mul(layer.weight, factors) };
    const weight = tf.tidy(() => mul(layer.weight, tf.expandDims(factors, 1)));
    return { ...layer, weight, ...(layer.bias ? { bias: tf.mul(layer.bias, factors) } : {}) };
  },
};

/** The update with these factors. */
export function ia3Update({ factors, side }: Omit<Ia3Params, "method">): Ia3Params {
  return { method: IA3_LAYER, factors, side };
}
