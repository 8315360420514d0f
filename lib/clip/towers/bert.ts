/** The BERT text encoder. @module */
import * as tf from "@tensorflow/tfjs";
import { layerNorm, type LayerNormParams } from "../../nn/layer_norm.ts";
import { dropAfterFirst, dropFirstColumns, extendMask, insertAfterFirst } from "../../nn/extra_tokens.ts";
import { type BlockParams, transformer } from "../../nn/transformer.ts";
import { dropout } from "../../tensor/kernels/dropout/api.ts";
import { embeddingLookup, tidy } from "../../tensor/ops.ts";
import { deriveSeed } from "../../tensor/random.ts";
import type { Tensor, Tensor2D, Tensor3D } from "../../tensor/types.ts";
import type { BertConfig } from "../config.ts";
import { cutTexts } from "./cut_texts.ts";
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
  /**
   * Learned words that stand after [CLS] in every text, `[M, D]`; their outputs are dropped. A text that then exceeds the
   * position table is cut, its [SEP] kept. @default {none}
   */
  context?: Tensor2D;
}

/** Options of {@linkcode bert}. */
export interface BertOptions {
  /** Which attention of the last layer's CLS query to return. @default {none} */
  affinity?: "logits" | "probabilities";
  /** Return the CLS token only. @default {false} */
  clsOnly?: boolean;
  /** Seed of the dropout masks; without it the encoder is in evaluation mode. */
  seed?: number;
  /** Compute each block's inside again for the gradients of these tensors instead of keeping it. @default {keep it} */
  recompute?: ReadonlySet<Tensor>;
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
  const [, size] = ids.shape;
  const [positions] = params.position.shape;
  if (size > positions) {
    throw new TypeError(`Cannot encode a text as it must have at most ${positions} tokens: current value is ${size}`);
  }
  if (params.context) return withContext(params, ids, config, options);
  return tidy(() =>
    encodeWords(params, embeddingLookup(params.word, ids) as Tensor3D, realTokens(ids), config, options)
  );
}

/** 1 for a token, 0 for a pad. Not a cast: tf.js keeps an int32 buffer under the float type on webgpu. */
function realTokens(ids: Tensor2D): Tensor2D {
  return tf.where(tf.notEqual(ids, 0), tf.scalar(1), tf.scalar(0)) as Tensor as Tensor2D;
}

/** Words with the learned ones among them; what comes out has the rows of the (perhaps cut) texts alone. */
function withContext(params: BertParams, ids: Tensor2D, config: BertConfig, options: BertOptions): EncoderResult {
  const context = params.context!;
  const count = context.shape[0];
  return tidy(() => {
    const kept = cutTexts(ids, params.position.shape[0] - count);
    const words = insertAfterFirst(embeddingLookup(params.word, kept) as Tensor3D, context);
    const result = encodeWords(params, words, extendMask(realTokens(kept), count), config, options);
    const tokens = options.clsOnly ? result.tokens : dropAfterFirst(result.tokens, count);
    return result.affinity ? { tokens, affinity: dropFirstColumns(result.affinity, count) } : { tokens };
  });
}

/** Positions and types added to the words `[B, N, D]`, then the layers. */
function encodeWords(
  params: BertParams,
  words: Tensor3D,
  keyMask: Tensor2D,
  config: BertConfig,
  options: BertOptions,
): EncoderResult {
  const [, length, width] = words.shape;
  return tidy(() => {
    const places = tf.slice(params.position, [0, 0], [length, width]);
    const type = tf.slice(params.tokenType, [0, 0], [1, width]);
    const sum = tf.add(tf.add(words, places), type) as Tensor3D;
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
      attentionDropout: config.attentionDropout ?? config.dropout,
      keyMask,
    });
  });
}
