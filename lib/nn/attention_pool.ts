/** Tokens pooled by the attention of a learned query. @module */
import * as tf from "@tensorflow/tfjs";
import { attention } from "../tensor/kernels/attention/api.ts";
import { tidy } from "../tensor/ops.ts";
import type { Tensor2D, Tensor3D, Tensor4D } from "../tensor/types.ts";
import { type AffinityKind, type AttentionParams, queryAffinity } from "./attention.ts";
import { gatedAttention } from "./gated_attention.ts";
import { layerNorm, type LayerNormParams } from "./layer_norm.ts";
import { linear, linears } from "./linear.ts";
import { type Activation, mlp, type MlpParams } from "./mlp.ts";

/** Weights of an attention pooling. */
export interface AttentionPoolParams {
  /** What queries the tokens, `[1, 1, D]`. */
  probe: Tensor3D;
  /** Its attention over them. */
  attention: AttentionParams;
  /** Before the feed-forward part. */
  norm: LayerNormParams;
  /** Feed-forward part. */
  mlp: MlpParams;
}

/** Options of {@linkcode attentionPool}. */
export interface AttentionPoolOptions {
  /** Number of heads. */
  heads: number;
  /** LayerNorm epsilon. */
  epsilon: number;
  /** Of the feed-forward part. */
  activation: Activation;
  /** Return the pooling weights, averaged over heads. @default {not returned} */
  affinity?: AffinityKind;
  /** Return the pooled token alone. @default {false} */
  clsOnly?: boolean;
  /** Factor of the pooling weights of every head, `[B, H, 1, N]`, for their gradient. @default {none} */
  gate?: Tensor4D;
}

/**
 * `y + mlp(norm(y))` with `y` the output of the probe's attention over the tokens. The tokens themselves follow, each as it would
 * be pooled were all attention on it, so that they stand in the pooled token's space.
 *
 * Source: big_vision `MAPHead`; transformers `SiglipMultiheadAttentionPoolingHead`.
 *
 * @param params Weights.
 * @param x Shape `[B, N, D]`.
 * @returns `tokens` `[B, N + 1, D]`, the pooled one first (`[B, 1, D]` with `clsOnly`); `affinity` `[B, N]`. The caller disposes
 * both.
 */
export function attentionPool(
  params: AttentionPoolParams,
  x: Tensor3D,
  options: AttentionPoolOptions,
): { tokens: Tensor3D; affinity?: Tensor2D } {
  const { heads, epsilon, activation, affinity: kind, clsOnly = false, gate } = options;
  const { probe, norm } = params;
  return tidy(() => {
    const query = tf.tile(linear(params.attention.query, probe), [x.shape[0], 1, 1]); // [B, 1, D]
    const { key: keys, value: values } = params.attention;
    const [key, value] = linears([keys, values], x, [{}, {}]);
    const context = gate ? gatedAttention([query, key, value], gate) : attention(query, key, value, { heads });
    const rows = clsOnly ? context : tf.concat([context, value], 1);
    const y = linear(params.attention.output, rows);
    const tokens = mlp(params.mlp, layerNorm(norm, y, epsilon), { activation, addend: y });
    return kind ? { tokens, affinity: queryAffinity(query, key, { heads, kind }) } : { tokens };
  });
}
