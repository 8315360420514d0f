/** DoRA in a linear layer: a low-rank update of a weight's direction, with the length of each row learned apart. @module */
import * as tf from "@tensorflow/tfjs";
import { frozenLinear, type LinearUpdate, type LowRank, type UpdateMethod } from "../../nn/linear.ts";
import { dropout } from "../../tensor/kernels/dropout/api.ts";
import { detach } from "../../tensor/ops.ts";
import type { Tensor1D, Tensor2D } from "../../tensor/types.ts";
import { mul } from "../../tensor/typed.ts";

/** A weight-decomposed update: `W' = m ⊙ (W + scaling · B A) / |W + scaling · B A|`, lengths of rows. */
export interface DoraParams extends LowRank, LinearUpdate {
  /** m, the length of each row of the weight; shape `[out]`. */
  magnitude: Tensor1D;
}

/**
 * `y = x Wᵀ + b + (g - 1) ⊙ x Wᵀ + g ⊙ scaling · x Aᵀ Bᵀ` with `g = m / |W + scaling · B A|`. The lengths carry no gradient;
 * dropout acts on the input of both added terms.
 *
 * Source: Liu et al. 2024 (arXiv 2402.09353), Eq. (5) and section 4.3; peft's `DoraLinearLayer`.
 */
const DORA_LAYER: UpdateMethod = {
  name: "dora",
  replacesDropout: true,
  apply(update: DoraParams, { weight, bias }, rows, seed): Tensor2D {
    const { loraA, loraB, magnitude, scaling, dropout: rate } = update;
    return tf.tidy(() => {
      const product = frozenLinear({ weight }, rows);
      const y = bias ? tf.add(product, bias) : product;
      const drop = seed !== undefined && rate > 0;
      const input = drop ? dropout(rows, { rate, seed }) : rows;
      const kept = drop ? frozenLinear({ weight }, input) : product;
      const constant = { loraA: detach(loraA), loraB: detach(loraB), scaling };
      const gain = tf.div(magnitude, rowLengths(doraDirection(constant, detach(weight)))); // [out]
      const low = tf.mul(tf.matMul(input, loraA, false, true), scaling); // [rows, R]
      const turned = tf.mul(tf.matMul(low, loraB, false, true), gain);
      return tf.add(y, tf.add(tf.mul(kept, tf.sub(gain, 1)), turned));
    });
  },
  merge(update: DoraParams, layer) {
    const weight = tf.tidy(() => {
      const direction = doraDirection(update, layer.weight);
      return mul(direction, tf.expandDims(tf.div(update.magnitude, rowLengths(direction)), 1));
    });
    return { ...layer, weight };
  },
};

/** The update with these factors and lengths. */
export function doraUpdate({ loraA, loraB, scaling, dropout, magnitude }: Omit<DoraParams, "method">): DoraParams {
  return { method: DORA_LAYER, loraA, loraB, scaling, dropout, magnitude };
}

/** `W + scaling · B A`, shape `[out, in]`. The caller disposes it. */
function doraDirection({ loraA, loraB, scaling }: Omit<LowRank, "dropout">, weight: Tensor2D): Tensor2D {
  return tf.tidy(() => tf.add(weight, tf.mul(tf.matMul(loraB, loraA), scaling)));
}

/** The length of each row, shape `[out]`. The caller disposes it. */
export function rowLengths(weight: Tensor2D): Tensor1D {
  return tf.tidy(() => tf.sqrt(tf.sum(tf.square(weight), 1)));
}
