/** DoRA: a low-rank update of a weight's direction, with the length of each row learned apart. @module */
import * as tf from "@tensorflow/tfjs";
import { dropout } from "../tensor/fused/dropout.ts";
import { detach } from "../tensor/ops.ts";
import type { Tensor1D, Tensor2D } from "../tensor/types.ts";

/** A weight-decomposed update: `W' = m ⊙ (W + scaling · B A) / |W + scaling · B A|`, lengths of rows. */
export interface DoraParams {
  /** Down-projection, shape `[R, in]`. */
  loraA: Tensor2D;
  /** Up-projection, shape `[out, R]`. */
  loraB: Tensor2D;
  /** m, the length of each row of the weight; shape `[out]`. */
  magnitude: Tensor1D;
  /** Factor of the update: `alpha / rank`. */
  scaling: number;
  /** Dropout rate on the update's input while training. */
  dropout: number;
}

/** Options of {@linkcode doraUpdate}. */
export interface DoraUpdateOptions {
  /** `x Wᵀ`, when the caller has it already; used where dropout is off. */
  product: Tensor2D;
  /** Seed of the dropout mask; without it the layer is in evaluation mode. */
  seed?: number;
}

/**
 * `W + scaling · B A`, shape `[out, in]`. The caller disposes it.
 *
 * @param weight Frozen weight, shape `[out, in]`.
 */
export function doraDirection(params: Omit<DoraParams, "magnitude">, weight: Tensor2D): Tensor2D {
  return tf.tidy(() => tf.add(weight, tf.mul(tf.matMul(params.loraB, params.loraA), params.scaling)) as Tensor2D);
}

/** The length of each row, shape `[out]`. The caller disposes it. */
export function rowLengths(weight: Tensor2D): Tensor1D {
  return tf.tidy(() => tf.sqrt(tf.sum(tf.square(weight), 1)) as Tensor1D);
}

/**
 * What DoRA adds to `x Wᵀ + b`: `(g - 1) ⊙ x Wᵀ + g ⊙ scaling · x Aᵀ Bᵀ` with `g = m / |W + scaling · B A|`. The lengths carry
 * no gradient; dropout acts on the input of both terms.
 *
 * Source: Liu et al. 2024 (arXiv 2402.09353), Eq. (5) and section 4.3; peft's `DoraLinearLayer`.
 *
 * @param weight Frozen weight, shape `[out, in]`.
 * @param rows Shape `[rows, in]`.
 * @returns Shape `[rows, out]`. The caller disposes it.
 */
export function doraUpdate(params: DoraParams, weight: Tensor2D, rows: Tensor2D, options: DoraUpdateOptions): Tensor2D {
  const { loraA, loraB, magnitude, scaling, dropout: rate } = params;
  return tf.tidy(() => {
    const drop = options.seed !== undefined && rate > 0;
    const input = drop ? dropout(rows, { rate, seed: options.seed! }) as Tensor2D : rows;
    const product = drop ? tf.matMul(input, weight, false, true) : options.product;
    const frozen = { loraA: detach(loraA), loraB: detach(loraB), scaling, dropout: 0 };
    const gain = tf.div(magnitude, rowLengths(doraDirection(frozen, detach(weight)))); // [out]
    const low = tf.mul(tf.matMul(input, loraA, false, true), scaling) as Tensor2D; // [rows, R]
    const turned = tf.mul(tf.matMul(low, loraB, false, true), gain);
    return tf.add(tf.mul(product, tf.sub(gain, 1)), turned) as Tensor2D;
  });
}
