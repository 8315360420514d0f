/**
 * Linear layers, frozen or with an update. What an update is, its method says: a record of pure functions that travels with it,
 * so that a layer applies methods of fine-tuning it has never heard of.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { dropout } from "../tensor/kernels/dropout/api.ts";
import { fusedLinear } from "../tensor/kernels/linear/api.ts";
import {
  canFuse,
  canFuseSeveral,
  type FusedLoraLinear,
  fusedLoraLinear,
  MOST_FUSED_RANKS,
} from "../tensor/kernels/lora/api.ts";
import { tidy } from "../tensor/ops.ts";
import { mapTree } from "../tensor/params.ts";
import { matMul, reshape, unflatten } from "../tensor/typed.ts";
import type { Tensor, Tensor1D, Tensor2D } from "../tensor/types.ts";
import { mapTuple } from "../platform/map_tuple.ts";

/** Weights of a linear layer as trained, in torch's layout. */
export interface FrozenLinear {
  /** Shape `[out, in]`. */
  weight: Tensor2D;
  /** Shape `[out]`. */
  bias?: Tensor1D;
}

/** Weights of a linear layer. */
export interface LinearParams extends FrozenLinear {
  /** What a method of fine-tuning adds to the layer. @default {none} */
  update?: LinearUpdate;
}

/** What a method of fine-tuning adds to a linear layer: its tensors and numbers, whatever they are, and what becomes of them. */
export interface LinearUpdate {
  /** The method; no part of a tree's leaves, and what the update is called in their names. */
  readonly method: UpdateMethod;
}

/** The functions of an update's method. Each borrows its tensors and gets the update it belongs to. */
export interface UpdateMethod {
  /** Name of the update in leaf names: `lora`. */
  readonly name: string;
  /**
   * What the layer gives, `[rows, out]`, bias included.
   *
   * @param rows Shape `[rows, in]`.
   * @param seed Of the dropout masks; without it the layer is in evaluation mode.
   */
  apply(update: LinearUpdate, layer: FrozenLinear, rows: Tensor2D, seed?: number): Tensor2D;
  /** The update folded into the layer: what differs from `layer` is new, the rest shared. */
  merge(update: LinearUpdate, layer: FrozenLinear): FrozenLinear;
  /** The update as two factors, where it is nothing else: backends compute those faster. */
  lowRank?(update: LinearUpdate): LowRank;
  /** Whether an attention part with such an update has no dropout of its own, as in the released layers with LoRA. @default {false} */
  readonly replacesDropout?: boolean;
}

/** A low-rank update `scaling · B A` of a frozen weight. */
export interface LowRank {
  /** A, the down-projection; shape `[R, in]`. */
  loraA: Tensor2D;
  /** B, the up-projection; shape `[out, R]`. */
  loraB: Tensor2D;
  /** Factor of the update: `alpha / √rank` when rank-stabilised. */
  scaling: number;
  /** Dropout rate on the update's input while training. */
  dropout: number;
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
 * `y = x Wᵀ + b`, or what the layer's update makes of it.
 *
 * @param params Weights.
 * @param x Shape `[..., in]`.
 * @returns Shape `[..., out]`. The caller disposes it.
 * @throws {TypeError} If the last axis is not `in`.
 */
export function linear<T extends Tensor>(params: LinearParams, x: T, options: LinearOptions = {}): T {
  const { drop, addend } = options;
  return tf.tidy(() => {
    if (canFuse() && !params.update) {
      const rows = rowsOf(params, x);
      const [outSize] = params.weight.shape;
      const result = fusedLinear(rows, frozen(params), {
        ...drop,
        ...(addend ? { addend: reshape(addend, [rows.shape[0], outSize]) } : {}),
      });
      return unflatten(result, x);
    }
    let y = single(params, x, options);
    if (drop) y = dropout(y, drop);
    return addend ? tf.add(addend, y) : y;
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
export function linears<const L extends readonly LinearParams[], T extends Tensor>(
  layers: L,
  x: T,
  options: readonly Pick<LinearOptions, "seed">[],
): { -readonly [I in keyof L]: T } {
  return tidy(() => {
    const fused = canFuseSeveral() ? loraGroup(layers, options) : undefined;
    if (!fused) return mapTuple(layers, (layer, i) => single(layer, x, options[i]!));
    const rows = rowsOf(layers[0]!, x);
    const results = fusedLoraLinear(rows, fused);
    return mapTuple(layers, (_, i) => unflatten(results[i]!, x));
  });
}

/** The layers for {@linkcode fusedLoraLinear}, or undefined if they are not all alike, or an update is more than low rank. */
function loraGroup(
  layers: readonly LinearParams[],
  options: readonly Pick<LinearOptions, "seed">[],
): FusedLoraLinear[] | undefined {
  const lows = layers.map(({ update }) => update?.method.lowRank?.(update));
  const shapeOf = ({ weight, bias }: LinearParams, low: LowRank): string =>
    `${weight.shape},${bias?.shape},${low.loraA.shape}`;
  const group: FusedLoraLinear[] = [];
  for (const [i, layer] of layers.entries()) {
    const low = lows[i];
    if (!low || shapeOf(layer, low) !== shapeOf(layers[0]!, lows[0]!)) return undefined;
    const { seed } = options[i]!;
    const { loraA, loraB, scaling, dropout } = low;
    group.push({ ...frozen(layer), loraA, loraB, scaling, rate: seed === undefined ? 0 : dropout, seed: seed ?? 0 });
  }
  const ranks = group.reduce((sum, { loraA }) => sum + loraA.shape[0], 0);
  return layers.length <= 3 && ranks <= MOST_FUSED_RANKS ? group : undefined;
}

/** The layer without its update. */
export function frozen({ weight, bias }: LinearParams): FrozenLinear {
  return { weight, ...(bias ? { bias } : {}) };
}

/** The input as rows, checked against the layer. */
export function rowsOf(params: LinearParams, x: Tensor): Tensor2D {
  const inSize = params.weight.shape[1];
  if (x.shape[x.shape.length - 1] !== inSize) {
    throw new TypeError(`Cannot apply a linear layer as x must end in ${inSize}: current shape is [${x.shape}]`);
  }
  return reshape(x, [x.size / inSize, inSize]);
}

/** One layer in single steps, for every backend and every method of fine-tuning. */
function single<T extends Tensor>(params: LinearParams, x: T, options: Pick<LinearOptions, "seed">): T {
  return tf.tidy(() => {
    const alone = canFuse() ? loraGroup([params], [options]) : undefined;
    const rows = rowsOf(params, x);
    if (alone) return unflatten(fusedLoraLinear(rows, alone)[0]!, x);
    const { update } = params;
    if (canFuse() && !update) return unflatten(fusedLinear(rows, frozen(params)), x);
    const y = update
      ? update.method.apply(update, frozen(params), rows, options.seed)
      : frozenLinear(frozen(params), rows);
    return unflatten(y, x);
  });
}

/**
 * `x Wᵀ + b` in single steps.
 *
 * @param rows Shape `[rows, in]`.
 * @returns Shape `[rows, out]`. The caller disposes it.
 */
export function frozenLinear({ weight, bias }: FrozenLinear, rows: Tensor2D): Tensor2D {
  return tf.tidy(() => {
    const product = matMul(rows, weight, false, true);
    return bias ? tf.add(product, bias) : product;
  });
}

/** Whether a node of a params tree is a linear layer. */
export function isLinear(node: object): node is LinearParams {
  return "weight" in node && node.weight instanceof tf.Tensor && node.weight.rank === 2;
}

/**
 * The whole tree with every update folded into its layer, whatever its method; layers without one are shared with `params`, so
 * free the result with `disposeParams(result, params)`.
 */
export function mergeUpdates<T>(params: T): T {
  return mapTree(params, (node) => {
    if (!isLinear(node)) return undefined;
    const { update } = node;
    return update ? update.method.merge(update, frozen(node)) : node;
  });
}
