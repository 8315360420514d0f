/** Projection heads: from a tower's width to the embedding. @module */
import * as tf from "@tensorflow/tfjs";
import type { BatchNormParams } from "../../nn/batch_norm.ts";
import { type FrozenLinear, linear, type LinearParams } from "../../nn/linear.ts";
import { layerNorm, type LayerNormParams } from "../../nn/layer_norm.ts";
import { mlp, type MlpParams } from "../../nn/mlp.ts";
import { gelu } from "../../tensor/kernels/gelu/api.ts";
import { add, mul, sub } from "../../tensor/typed.ts";
import type { Tensor1D, Tensor3D } from "../../tensor/types.ts";
import type { HeadKind } from "../config.ts";
import type { Parts } from "./parts.ts";

/** Two layers, each with a batch normalisation of frozen statistics where the head has them, the last without gain and offset. */
export interface MlpHead extends MlpParams {
  /** After the first layer. */
  norm1?: BatchNormParams;
  /** After the second. */
  norm2?: Pick<BatchNormParams, "mean" | "variance">;
  /** After the shortcut, where the second layer is beside one. */
  normPost?: LayerNormParams;
}

type Statistics = Pick<BatchNormParams, "mean" | "variance">;

/** Weights of a head: one layer, or two. */
export type HeadParams = LinearParams | MlpHead;

/** What the kinds differ in. */
interface HeadTraits {
  layers: 1 | 2;
  bias: boolean;
  /** Batch normalisations. */
  normed?: true;
  /** A shortcut, and a LayerNorm behind it. */
  residual?: true;
}

const HEADS: Readonly<Record<Exclude<HeadKind, "none">, HeadTraits>> = {
  "linear": { layers: 1, bias: false },
  "biased": { layers: 1, bias: true },
  "mlp": { layers: 2, bias: false },
  "relu-mlp": { layers: 2, bias: true },
  "norm-mlp": { layers: 2, bias: true, normed: true },
  "residual-mlp": { layers: 2, bias: true, residual: true },
};

/** Sizes of a head. */
export interface HeadSizes {
  /** Of the tower. */
  width: number;
  /** Of the embedding. */
  embedding: number;
  /** Between two layers. @default {none} */
  hidden?: number | undefined;
}

/** A head's tree, none where the tower's tokens are the embedding. */
export function buildHead(
  kind: HeadKind,
  { width, embedding, hidden = 0 }: HeadSizes,
  make: Parts,
  name: string,
): { head?: HeadParams } {
  if (kind === "none") return {};
  const { layers, bias, normed, residual } = HEADS[kind];
  if (layers === 1) return { head: make.dense(embedding, width, name, bias) };
  const statistics = (size: number, norm: string): Statistics => ({
    mean: make.leaf(`${name}.${norm}.mean`, [size], "bias"),
    variance: make.leaf(`${name}.${norm}.variance`, [size], "gain"),
  });
  const norms = normed
    ? {
      norm1: { ...make.norm(hidden, `${name}.norm1`), ...statistics(hidden, "norm1") },
      norm2: statistics(embedding, "norm2"),
    }
    : {};
  return {
    head: {
      fc1: make.dense(hidden, width, `${name}.fc1`, bias),
      fc2: make.dense(embedding, hidden, `${name}.fc2`, bias),
      ...norms,
      ...(residual ? { normPost: make.norm(embedding, `${name}.normPost`) } : {}),
    },
  };
}

/**
 * Tokens through a head; those of a tower without one are returned themselves.
 *
 * @param x Shape `[B, N, D]`.
 * @returns Shape `[B, N, E]`.
 */
export function projected(head: HeadParams | undefined, x: Tensor3D, kind: HeadKind): Tensor3D {
  if (!head) return x;
  if (!("fc1" in head)) return linear(head, x);
  if (kind === "mlp") return mlp(head, x);
  const { normPost } = head;
  if (normPost) {
    return tf.tidy(() => {
      const first = linear(head.fc1, x);
      return layerNorm(normPost, linear(head.fc2, gelu(first), { addend: first }), 1e-5);
    });
  }
  return tf.tidy(() => linear(normed(head.fc2, head.norm2), tf.relu(linear(normed(head.fc1, head.norm1), x))));
}

/** A layer with what normalises its result inside. */
function normed(layer: FrozenLinear, norm?: Statistics & Partial<BatchNormParams>): FrozenLinear {
  if (!norm) return layer;
  const inverse = tf.rsqrt(add(norm.variance, 1e-5));
  const gain: Tensor1D = norm.weight ? mul(norm.weight, inverse) : inverse;
  const centred = mul(layer.bias ? sub(layer.bias, norm.mean) : tf.neg(norm.mean), gain);
  return {
    weight: mul(layer.weight, tf.expandDims(gain, 1)),
    bias: norm.bias ? add(centred, norm.bias) : centred,
  };
}
