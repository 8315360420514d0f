/** Linear layers, with an optional low-rank update. @module */
import * as tf from "@tensorflow/tfjs";
import { dropout } from "../tensor/fused/dropout.ts";
import {
  canFuse,
  type FusedLinear,
  fusedLinear,
  type FusedLoraLinear,
  fusedLoraLinear,
  MOST_FUSED_RANKS,
} from "../tensor/fused/linear.ts";
import { tidy } from "../tensor/ops.ts";
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
  /** Dropout of the result, before the addend. @default {none} */
  drop?: { rate: number; seed: number };
  /** Added last, of the result's shape: a residual. @default {none} */
  addend?: Tensor;
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
  const { drop, addend } = options;
  return tf.tidy(() => {
    if (canFuse() && isPlain(params)) {
      const rows = rowsOf(params, x);
      const [outSize] = params.weight.shape;
      const result = fusedLinear(rows, plain(params), {
        ...drop,
        ...(addend ? { addend: tf.reshape(addend, [rows.shape[0], outSize]) as Tensor2D } : {}),
      });
      return tf.reshape(result, [...x.shape.slice(0, -1), outSize]) as Tensor as T;
    }
    let y: Tensor = single(params, x, options);
    if (drop) y = dropout(y, drop);
    return (addend ? tf.add(addend, y) : y) as T;
  });
}

/**
 * Several linear layers on one input, as {@linkcode linear} computes each; together where the backend can.
 *
 * @param layers Weights.
 * @param x Shape `[..., in]`.
 * @param options One of each layer; only `seed` is read.
 * @returns One `[..., out]` a layer. The caller disposes them.
 * @throws {TypeError} If the last axis is not `in`.
 */
export function linears<T extends Tensor>(
  layers: readonly LinearParams[],
  x: T,
  options: readonly Pick<LinearOptions, "seed">[],
): T[] {
  return tidy(() => {
    const fused = canFuse() ? loraGroup(layers, options) : undefined;
    if (!fused) return layers.map((layer, i) => single(layer, x, options[i]!));
    const rows = rowsOf(layers[0]!, x);
    const shape = [...x.shape.slice(0, -1), layers[0]!.weight.shape[0]];
    return fusedLoraLinear(rows, fused).map((y) => tf.reshape(y, shape) as Tensor as T);
  });
}

/** The layers for {@linkcode fusedLoraLinear}, or undefined if they are not all alike or carry more than LoRA. */
function loraGroup(
  layers: readonly LinearParams[],
  options: readonly Pick<LinearOptions, "seed">[],
): FusedLoraLinear[] | undefined {
  const shapeOf = ({ weight, bias, lora }: LinearParams): string =>
    `${weight.shape},${bias?.shape},${lora?.loraA.shape}`;
  const group: FusedLoraLinear[] = [];
  for (const [i, layer] of layers.entries()) {
    const { lora, dora, ia3 } = layer;
    if (!lora || dora || ia3 || shapeOf(layer) !== shapeOf(layers[0]!)) return undefined;
    const { seed } = options[i]!;
    const { loraA, loraB, scaling, dropout } = lora;
    group.push({ ...plain(layer), loraA, loraB, scaling, rate: seed === undefined ? 0 : dropout, seed: seed ?? 0 });
  }
  const ranks = group.reduce((sum, { loraA }) => sum + loraA.shape[0], 0);
  return layers.length <= 3 && ranks <= MOST_FUSED_RANKS ? group : undefined;
}

function isPlain({ lora, dora, ia3 }: LinearParams): boolean {
  return !lora && !dora && !ia3;
}

function plain({ weight, bias }: LinearParams): FusedLinear {
  return { weight, ...(bias ? { bias } : {}) };
}

function rowsOf(params: LinearParams, x: Tensor): Tensor2D {
  const inSize = params.weight.shape[1];
  if (x.shape[x.shape.length - 1] !== inSize) {
    throw new TypeError(`Cannot apply a linear layer as x must end in ${inSize}: current shape is [${x.shape}]`);
  }
  return tf.reshape(x, [x.size / inSize, inSize]) as Tensor2D;
}

/** One layer in single steps, for every backend and every method of fine-tuning. */
function single<T extends Tensor>(params: LinearParams, x: T, options: Pick<LinearOptions, "seed">): T {
  return tf.tidy(() => {
    const alone = canFuse() ? loraGroup([params], [options]) : undefined;
    let rows = rowsOf(params, x);
    const shape = [...x.shape.slice(0, -1), params.weight.shape[0]];
    if (alone) return tf.reshape(fusedLoraLinear(rows, alone)[0]!, shape) as Tensor as T;
    if (canFuse() && isPlain(params)) return tf.reshape(fusedLinear(rows, plain(params)), shape) as Tensor as T;
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
    return tf.reshape(y, shape) as Tensor as T;
  });
}
