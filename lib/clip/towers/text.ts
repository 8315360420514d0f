/** The text tower: a BERT, CLIP's own causal transformer, or SigLIP's. @module */
import * as tf from "@tensorflow/tfjs";
import { layerNorm, type LayerNormParams } from "../../nn/layer_norm.ts";
import type { LinearParams } from "../../nn/linear.ts";
import { dropExtra, extendMasks, insertAfterFirst, type TokenMasks } from "../../nn/extra_tokens.ts";
import { tokenAt, tokenFirst, upToToken } from "../../nn/read_token.ts";
import { type BlockParams, transformer, type TransformerOptions } from "../../nn/transformer.ts";
import { dropout } from "../../tensor/kernels/dropout/api.ts";
import { ones, zeros } from "../../tensor/init.ts";
import { embeddingLookup, tidy } from "../../tensor/ops.ts";
import { deriveSeed } from "../../tensor/random.ts";
import { ofRank } from "../../tensor/shape.ts";
import type { Tensor, Tensor2D, Tensor3D } from "../../tensor/types.ts";
import type { BertConfig, CausalTextConfig, ClipConfig, HeadKind, SiglipTextConfig } from "../config.ts";
import { NoTextTowerError } from "../no_text.ts";
import { cutTexts } from "./cut_texts.ts";
import { type HeadParams, projected } from "./head.ts";
import { checkOptions } from "../../platform/options.ts";
import { ENCODE_RULES, type EncodeOptions, type EncoderResult, pooled } from "./encoder.ts";
import { add, div, indicator, sub } from "../../tensor/typed.ts";

/** Weights of the text transformer. */
export interface TextTrunk {
  /** Word table, `[V, D]`. */
  word: Tensor2D;
  /** Position table, `[P, D]`. */
  position: Tensor2D;
  /** BERT's token-type table, `[T, D]`; row 0 is used. */
  tokenType?: Tensor2D;
  /** LayerNorm of BERT's summed embeddings, or after the last layer of a causal tower. */
  norm: LayerNormParams;
  /** Post-norm layers of a BERT, pre-norm ones of a causal tower. */
  layers: BlockParams[];
  /** Dense layer of the pooler, `[D, D]`, where the tower reads through one. */
  pooler?: LinearParams;
  /**
   * Learned words that stand after the first token of every text, `[M, D]`; their outputs are dropped. A text that then
   * exceeds the position table is cut, its last token kept. @default {none}
   */
  context?: Tensor2D;
}

/** Weights of the text tower. */
export interface TextTowerParams {
  /** The transformer. */
  trunk: TextTrunk;
  /** Projection, where the tower has one. */
  head?: HeadParams;
}

/**
 * Tokens of texts, the read token first.
 *
 * A BERT: word, position and type embeddings, then post-norm layers that do not see the pads (`id = 0`); CLS is read, or the
 * mean of the real tokens takes its place in row 0. A causal tower: word and position embeddings, pre-norm layers in which a
 * token sees itself and those before it, the final norm; the end-of-text token is moved to row 0, so that it plays the part of
 * CLS, and the others follow in their order. Its affinity is the attention of its query: probabilities are 0 after the end of
 * the text and logits -1e9. SigLIP's: the same without a mask, and the last place is read, whatever stands there.
 *
 * Source: transformers `BertModel(add_pooling_layer=False)`, `CLIPTextTransformer`, `SiglipTextModel`; open_clip 3.3
 * `CLIP.encode_text`.
 *
 * @param trunk Weights.
 * @param ids Token ids, shape `[B, N]` int32, N at most the position table's rows.
 * @returns Tokens of width D and affinity. The caller disposes both.
 * @throws {TypeError} If a text is longer than the position table.
 */
export function textTower(
  trunk: TextTrunk,
  ids: Tensor2D,
  config: ClipConfig["text"],
  options: EncodeOptions = {},
): EncoderResult {
  if (config.kind === "none") throw new NoTextTowerError();
  const [positions] = trunk.position.shape;
  const [, size] = ids.shape;
  if (size > positions) {
    throw new TypeError(`Cannot encode a text as it must have at most ${positions} tokens: current value is ${size}`);
  }
  return tidy(() => {
    const count = trunk.context?.shape[0] ?? 0;
    const kept = count === 0 ? ids : cutTexts(ids, positions - count, realTokens(ids, config));
    const masks = masksOf(kept, config);
    const words = ofRank(embeddingLookup(trunk.word, kept), 3, "words");
    const isMean = config.kind === "bert" && config.pool === "mean";
    const encodeOptions = { ...options, clsOnly: options.clsOnly === true && !isMean };
    const encode = (x: Tensor3D, m: TokenMasks): EncoderResult =>
      config.kind === "bert"
        ? bertLayers(trunk, x, config, { ...encodeOptions, ...m })
        : plainLayers(trunk, x, config, { ...encodeOptions, ...m });
    const result = count === 0
      ? encode(words, masks)
      : dropExtra(encode(insertAfterFirst(words, trunk.context!), extendMasks(masks, count)), count, {
        ...encodeOptions,
        ...masks,
      });
    if (isMean) {
      const read = options.readsPads ? ones(kept.shape) : realTokens(kept, config);
      return withMeanFirst(result, read, options.clsOnly === true);
    }
    return masks.read ? withReadFirst(result, masks.read, encodeOptions.clsOnly) : result;
  });
}

/**
 * Projected tokens of texts, not yet normalised; every token goes through pooler and projection as the read one does.
 *
 * @param params Weights.
 * @param ids Token ids, shape `[B, N + 1]` int32; a BERT's pads are 0, what follows the end of text is not seen elsewhere.
 * @returns `tokens` `[B, N + 1, E]` (the read token first; `[B, 1, E]` with `clsOnly`), `affinity` `[B, N]`. The caller
 * disposes both.
 * @throws {TypeError} If a text is longer than the position table.
 * @throws {NoTextTowerError} If the model is an image tower alone.
 *
 * @example Tokens of a text
 * ```ts
 * import { encodeText, loadClip, selectBackend, tokenise } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 * import * as tf from "@tensorflow/tfjs";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config, tokenizer } = await loadClip(); // the shipped mini model
 * const { ids, contextLength } = tokenise(tokenizer, ["no finding"], config);
 * const { tokens } = encodeText(params, tf.tensor2d(ids, [1, contextLength], "int32"), config);
 * assertEquals(tokens.shape, [1, contextLength, config.embedding]);
 * ```
 */
export function encodeText(
  params: { text: TextTowerParams },
  ids: Tensor2D,
  config: Pick<ClipConfig, "text">,
  options: EncodeOptions = {},
): EncoderResult {
  checkOptions("encode texts", options, ENCODE_RULES);
  const { trunk, head } = params.text;
  if (config.text.kind === "none") throw new NoTextTowerError();
  return tidy(() => {
    const result = textTower(trunk, ids, config.text, options);
    const tokens = pooled(trunk.pooler, result.tokens);
    return { ...result, tokens: projected(head, tokens, textHead(config.text)) };
  });
}

/** The kind of a text tower's projection. */
export function textHead(text: ClipConfig["text"]): HeadKind {
  return text.kind === "bert" ? text.head : text.kind === "siglip" ? "biased" : "linear";
}

/** 1 for a token of the text, 0 after it; shape `[B, N]`. */
function realTokens(ids: Tensor2D, config: ClipConfig["text"]): Tensor2D {
  if (config.kind === "siglip") return tf.ones(ids.shape);
  if (config.kind === "clip") return upToToken(endOfText(ids, config.eotId));
  return indicator(tf.notEqual(ids, tf.scalar(0, "int32")));
}

function masksOf(ids: Tensor2D, config: ClipConfig["text"]): TokenMasks {
  if (config.kind === "bert") {
    const real = realTokens(ids, config);
    return {
      keyMask: config.seesPads ? tf.ones(ids.shape) : real,
      ...(config.pool === "eos" ? { read: lastReal(real) } : {}),
    };
  }
  return { read: config.kind === "clip" ? endOfText(ids, config.eotId) : lastToken(ids) };
}

type LayerOptions = EncodeOptions & TokenMasks;

/** Positions and types added to the words `[B, N, D]`, the norm, then the layers. */
function bertLayers(trunk: TextTrunk, words: Tensor3D, config: BertConfig, options: LayerOptions): EncoderResult {
  const [, , width] = words.shape;
  const { heads, epsilon, dropout: rate, attentionDropout = rate } = config;
  const type = tf.slice(trunk.tokenType!, [0, 0], [1, width]);
  const sum = add(add(words, positionEmbeddings(trunk, words)), type);
  let input = layerNorm(trunk.norm, sum, epsilon);
  if (options.seed !== undefined && rate > 0) {
    input = dropout(input, { rate, seed: deriveSeed(options.seed, "embeddings") });
  }
  const drops = { hiddenDropout: rate, attentionDropout };
  const shared: TransformerOptions = { ...options, ...drops, heads, epsilon, order: "post" };
  return config.hiddenStates
    ? meanOfStates(trunk.layers, input, config.hiddenStates, shared)
    : transformer(trunk.layers, input, shared);
}

/** The mean of some hidden states, as a post-norm stack goes through them; the affinity is the last one's. */
function meanOfStates(
  layers: readonly BlockParams[],
  input: Tensor3D,
  states: readonly number[],
  options: TransformerOptions,
): EncoderResult {
  const { affinity: kind, clsOnly, gate, ...plain } = options;
  const top = Math.max(...states);
  const ofTop = { ...(kind ? { affinity: kind } : {}), ...(gate ? { gate } : {}) };
  let state: EncoderResult = { tokens: input };
  const read: Tensor3D[] = [];
  let from = 0;
  for (const place of [...new Set(states)].sort((a, b) => a - b)) {
    const seed = plain.seed === undefined ? {} : { seed: deriveSeed(plain.seed, `layers ${from}`) };
    if (place > from) {
      const part = { ...plain, ...seed, ...(place === top ? ofTop : {}) };
      state = transformer(layers.slice(from, place), state.tokens, part);
    }
    read.push(state.tokens);
    from = place;
  }
  const mean: Tensor3D = tf.div(tf.addN(read), read.length);
  const tokens = clsOnly ? tokenAt(mean, options.read) : mean;
  return state.affinity ? { tokens, affinity: state.affinity } : { tokens };
}

/** Positions added to the words `[B, N, D]`, the layers, then the norm. */
function plainLayers(
  trunk: TextTrunk,
  words: Tensor3D,
  config: CausalTextConfig | SiglipTextConfig,
  options: LayerOptions,
): EncoderResult {
  const { heads, epsilon, activation } = config;
  const input = add(words, positionEmbeddings(trunk, words));
  const result = transformer(trunk.layers, input, {
    ...options,
    heads,
    epsilon,
    activation,
    order: "pre",
    causal: config.kind === "clip",
  });
  return { ...result, tokens: layerNorm(trunk.norm, result.tokens, epsilon) };
}

function positionEmbeddings({ position }: TextTrunk, words: Tensor3D): Tensor2D {
  const [, length, width] = words.shape;
  return position.shape[0] === length ? position : tf.slice(position, [0, 0], [length, width]);
}

/** 1 at the last place of each text; shape `[B, N]`. */
function lastToken(ids: Tensor2D): Tensor2D {
  const [batch, size] = ids.shape;
  return tf.tidy(() => tf.concat([zeros([batch, size - 1]), ones([batch, 1])], 1));
}

/** 1 at the last token of each text before its pads; shape `[B, N]`. */
function lastReal(real: Tensor2D): Tensor2D {
  const [batch, size] = real.shape;
  return tf.tidy(() => sub(real, tf.concat([tf.slice(real, [0, 1], [batch, size - 1]), tf.zeros([batch, 1])], 1)));
}

/** The read token in row 0, and its attention to the others without that to itself. */
function withReadFirst({ tokens, affinity }: EncoderResult, read: Tensor2D, clsOnly: boolean): EncoderResult {
  const ordered = clsOnly ? tokens : tokenFirst(tokens, read);
  if (!affinity) return { tokens: ordered };
  const [batch, size] = affinity.shape;
  const all = tokenFirst(tf.expandDims(affinity, 2), read); // [B, N, 1]
  const others = tf.slice(all, [0, 1, 0], [batch, size - 1, 1]);
  return { tokens: ordered, affinity: tf.reshape(others, [batch, size - 1]) };
}

/** The mean of each text's read tokens in place of CLS. */
function withMeanFirst({ tokens, affinity }: EncoderResult, real: Tensor2D, clsOnly: boolean): EncoderResult {
  const [batch, size, width] = tokens.shape;
  const sum: Tensor3D = tf.sum(tf.mul(tokens, tf.expandDims(real, 2)), 1, true);
  const mean = div(sum, tf.reshape(tf.sum(real, 1), [batch, 1, 1]));
  const rest = tf.slice(tokens, [0, 1, 0], [batch, size - 1, width]);
  const ordered = clsOnly ? mean : tf.concat([mean, rest], 1);
  return affinity ? { tokens: ordered, affinity } : { tokens: ordered };
}

/**
 * 1 at the token each text is read at, 0 elsewhere: the first place of `eotId`, or of the text's largest id (CLIP's end of
 * text is the last of its vocabulary). A text without it is read at its first token, as `argmax` would.
 *
 * @param ids Shape `[B, N]` int32.
 * @returns Shape `[B, N]` float32. The caller disposes it.
 */
export function endOfText(ids: Tensor2D, eotId?: number): Tensor2D {
  const size = ids.shape[1];
  return tf.tidy(() => {
    const wanted: Tensor = eotId === undefined ? tf.max(ids, 1, true) : tf.scalar(eotId, "int32");
    const fallback = tf.tensor1d([0.5, ...new Array<number>(size - 1).fill(0)]);
    const ranks = tf.where(tf.equal(ids, wanted), tf.range(size, 0, -1), fallback); // the first has the largest
    return indicator(tf.equal(ranks, tf.max(ranks, 1, true)));
  });
}
