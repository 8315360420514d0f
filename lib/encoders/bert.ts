/** The BERT text encoder. @module */
import * as tf from "@tensorflow/tfjs";
import { layerNorm, type LayerNormParams } from "../nn/layer_norm.ts";
import { type BlockParams, transformer } from "../nn/transformer.ts";
import { dropout } from "../tensor/fused/dropout.ts";
import { embeddingLookup, tidy } from "../tensor/ops.ts";
import { deriveSeed } from "../tensor/random.ts";
import type { Tensor2D, Tensor3D } from "../tensor/types.ts";
import type { BertConfig } from "./config.ts";
import type { EncoderResult } from "./vit.ts";

/** Weights of a BERT. */
export interface BertParams {
  /** Word table, `[V, D]`. */
  word: Tensor2D;
  /** Position table, `[P, D]`. */
  position: Tensor2D;
  /** Token-type table, `[2, D]`; row 0 is used. */
  tokenType: Tensor2D;
  /** LayerNorm of the summed embeddings. */
  norm: LayerNormParams;
  /** Post-norm layers. */
  layers: BlockParams[];
}

/** Options of {@linkcode bert}. */
export interface BertOptions {
  /** Which attention of the last layer's CLS query to return. @default {none} */
  affinity?: "logits" | "probabilities";
  /** Return the CLS token only. @default {false} */
  clsOnly?: boolean;
  /** Seed of the dropout masks; without it the encoder is in evaluation mode. */
  seed?: number;
}

/**
 * Tokens of texts: word, position and type embeddings, then post-norm layers that do not see the pads (`id = 0`).
 *
 * Source: transformers `BertModel(add_pooling_layer=False)`.
 *
 * @param params Weights.
 * @param ids Token ids, shape `[B, N]` int32, N at most the position table's rows.
 * @returns Tokens of width D and affinity. The caller disposes both.
 * @throws {TypeError} If a text is longer than the position table.
 */
export function bert(params: BertParams, ids: Tensor2D, config: BertConfig, options: BertOptions = {}): EncoderResult {
  const [, length] = ids.shape;
  const [positions, width] = params.position.shape;
  if (length > positions) {
    throw new TypeError(`Cannot encode a text as it must have at most ${positions} tokens: current value is ${length}`);
  }
  return tidy(() => {
    const places = tf.slice(params.position, [0, 0], [length, width]);
    const type = tf.slice(params.tokenType, [0, 0], [1, width]);
    const sum = tf.add(tf.add(embeddingLookup(params.word, ids), places), type) as Tensor3D;
    let input = layerNorm(params.norm, sum, config.epsilon);
    if (options.seed !== undefined && config.dropout > 0) {
      input = dropout(input, { rate: config.dropout, seed: deriveSeed(options.seed, "embeddings") }) as Tensor3D;
    }
    return transformer(params.layers, input, {
      ...options,
      heads: config.heads,
      epsilon: config.epsilon,
      order: "post",
      hiddenDropout: config.dropout,
      keyMask: tf.cast(tf.notEqual(ids, 0), "float32") as Tensor2D,
    });
  });
}
