/** Linear layers, with an optional low-rank update. @module */
import * as tf from "@tensorflow/tfjs";
import { dropout } from "../tensor/fused/dropout.ts";
import type { Tensor, Tensor1D, Tensor2D } from "../tensor/types.ts";
import { type DoraParams, doraUpdate } from "./dora.ts";

/** A low-rank update `scaling · B A` of a frozen weight. */
export interface LoraParams {
  /** Down-projection, shape `[R, in]`. */
  loraA: Tensor2D;
  /** Up-projection, shape `[out, R]`. */
  loraB: Tensor2D;
  /** Factor of the update: `alpha / √rank` when rank-stabilised. */
  scaling: number;
  /** Dropout rate on the update's input while training. */
  dropout: number;
}

/** A learned factor of each input or output of a layer, (IA)^3: Liu et al. 2022, arXiv 2205.05638, Eq. (1). */
export interface Ia3Params {
  /** l, ones at first; shape `[in]` or `[out]`. */
  factors: Tensor1D;
  /** What is multiplied: what goes in, or what comes out, bias included. */
  at: "input" | "output";
}

/** Weights of a linear layer, in torch's layout. */
export interface LinearParams {
  /** Shape `[out, in]`. */
  weight: Tensor2D;
  /** Shape `[out]`. */
  bias?: Tensor1D;
  /** Low-rank update, when injected. */
  lora?: LoraParams;
  /** Weight-decomposed low-rank update, when injected. */
  dora?: DoraParams;
  /** Learned factors, when injected. */
  ia3?: Ia3Params;
}

/** Options of {@linkcode linear}. */
export interface LinearOptions {
  /** Seed of the dropout masks; without it the layer is in evaluation mode. */
  seed?: number;
}

/**
 * `y = x Wᵀ + b (+ scaling · dropout(x) Aᵀ Bᵀ)`; the update is applied in the cheap order, never as a full product B A.
 *
 * Source: LoRA, Hu et al. 2021, Eq. (3).
 *
 * @param params Weights.
 * @param x Shape `[..., in]`.
 * @returns Shape `[..., out]`. The caller disposes it.
 * @throws {TypeError} If the last axis is not `in`.
 */
export function linear<T extends Tensor>(params: LinearParams, x: T, options: LinearOptions = {}): T {
  const [outSize, inSize] = params.weight.shape;
  if (x.shape[x.shape.length - 1] !== inSize) {
    throw new TypeError(`Cannot apply a linear layer as x must end in ${inSize}: current shape is [${x.shape}]`);
  }
  return tf.tidy(() => {
    let rows = tf.reshape(x, [x.size / inSize, inSize]) as Tensor2D;
    if (params.ia3?.at === "input") rows = tf.mul(rows, params.ia3.factors);
    const product = tf.matMul(rows, params.weight, false, true) as Tensor2D;
    let y: Tensor2D = params.bias ? tf.add(product, params.bias) : product;
    if (params.lora) {
      const { loraA, loraB, scaling, dropout: rate } = params.lora;
      const input = options.seed !== undefined && rate > 0 ? dropout(rows, { rate, seed: options.seed }) : rows;
      const low = tf.mul(tf.matMul(input as Tensor2D, loraA, false, true), scaling) as Tensor2D; // [rows, R]
      y = tf.add(y, tf.matMul(low, loraB, false, true));
    }
    if (params.dora) y = tf.add(y, doraUpdate(params.dora, params.weight, rows, { product, ...options }));
    if (params.ia3?.at === "output") y = tf.mul(y, params.ia3.factors);
    return tf.reshape(y, [...x.shape.slice(0, -1), outSize]) as Tensor as T;
  });
}
