/**
 * ACE-LoRA in one file: a frozen BiomedCLIP, LoRA in its attention, ACE-HGNN over its tokens, label-guided InfoNCE.
 *
 * Source: Graph-Attentive Context Enhancement for Parameter-Efficient Adaptation of Medical Vision-Language Models,
 * arXiv 2603.17079.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { ClipParams } from "./clip/params.ts";
import { encodeImage } from "./clip/towers/image.ts";
import { encodeText } from "./clip/towers/text.ts";
import type { ClipConfig } from "./clip/config.ts";
import type { EncoderResult } from "./clip/towers/encoder.ts";
import type { AceHgnnConfig, AceHgnnParams } from "./hypergraph/ace_hgnn.ts";
import { hypergraph, initHgnn } from "./hypergraph/affinities.ts";
import { type LoraConfig, loraLayers } from "./peft/lora/config.ts";
import { injectLora } from "./peft/lora/inject.ts";
import { type FrozenLinear, mergeUpdates } from "./nn/linear.ts";
import { infoNce, type InfoNceOptions } from "./losses/info_nce.ts";
import { sigmoidLoss } from "./losses/sigmoid.ts";
import type { ContrastiveModel, FeatureOptions } from "./clip/contrastive.ts";
import { countParams, namedTensors } from "./tensor/params.ts";
import { l2Normalise } from "./tensor/kernels/l2_normalise/api.ts";
import { deriveSeed } from "./tensor/random.ts";
import type { Scalar, Tensor, Tensor2D, Tensor3D, Tensor4D } from "./tensor/types.ts";
import { reshape } from "./tensor/typed.ts";

/** A BiomedCLIP with what ACE-LoRA adds. */
export interface AceLoraParams extends ClipParams {
  /** ACE-HGNN of each encoder that has one. */
  hgnn?: { image?: AceHgnnParams; text?: AceHgnnParams };
  /** Learnable similarity scale; starts at `exp(logitScale)` and is not exponentiated again. */
  scale?: Scalar;
  /** A head over labels, weight `[C, E]` and bias `[C]`: what `supervised.ts` adds; no part of the paper. */
  head?: FrozenLinear;
}

/** What is added to a model, and its sizes. */
export interface AceLoraConfig {
  /** Sizes of the frozen model. */
  encoders: ClipConfig;
  /** Low-rank updates. @default {none} */
  lora?: LoraConfig;
  /** Hypergraph modules. @default {none} */
  hgnn?: AceHgnnConfig;
  /** Learn the similarity scale. @default {true} */
  learnScale?: boolean;
  /** What is trained. @default {the model's own similarity: InfoNCE for a softmax, the sigmoid loss for a sigmoid} */
  loss?: "info-nce" | "sigmoid";
  /**
   * Text affinity: `released` is the masked probabilities where the last text layer carries LoRA, and the unmasked logits (so
   * that pads can be chosen) where it does not. @default {"released"}
   */
  textAffinity?: TextAffinity;
  /** What the head's outputs are called. @default {no head} */
  classes?: readonly string[];
}

/** Which CLS attention of the text tower ACE-HGNN reads. */
export type TextAffinity = "released" | "probabilities" | "logits";

/** The text affinity of a configuration, `released` resolved. */
export function textAffinityOf(config: AceLoraConfig): Exclude<TextAffinity, "released"> {
  const { lora, textAffinity = "released" } = config;
  if (textAffinity !== "released") return textAffinity;
  const { depth } = config.encoders.text;
  const isLastLayerAdapted = lora && loraLayers(lora, "text", depth).includes(depth - 1);
  return isLastLayerAdapted ? "probabilities" : "logits";
}

/**
 * A model ready to be adapted: the frozen weights shared with `base`, LoRA, ACE-HGNN and the scale new.
 *
 * @param base Frozen weights.
 * @param config What to add.
 * @param options `seed` of the new weights (@default 1).
 * @returns A new tree; free it with `disposeParams(result, base)`.
 *
 * @example The paper's additions to the mini model
 * ```ts
 * import { ACE_LORA_HGNN, ACE_LORA_LORA, countTrainable, initAceLora, loadClip, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config } = await loadClip(); // the shipped mini model
 * const additions = { encoders: config, lora: ACE_LORA_LORA, hgnn: { ...ACE_LORA_HGNN, hidden: 16 } };
 * const adapted = await initAceLora(params, additions, { seed: 1 });
 * assertEquals(countTrainable(adapted), 26_945);
 * ```
 */
export async function initAceLora(
  base: ClipParams,
  config: AceLoraConfig,
  options: { seed?: number } = {},
): Promise<AceLoraParams> {
  const { seed = 1 } = options;
  const { lora, hgnn, learnScale = true } = config;
  const logitScale = (await base.logitScale.data())[0]!;
  const module = (encoder: "image" | "text"): AceHgnnParams =>
    initHgnn(hgnn!, config.encoders.embedding, { seed, name: `ace-hgnn ${encoder}` });
  const injected: AceLoraParams = lora ? injectLora(base, lora, { seed }) : base;
  return {
    ...injected,
    ...(hgnn ? { hgnn: Object.fromEntries(hgnn.encoders.map((encoder) => [encoder, module(encoder)])) } : {}),
    ...(learnScale ? { scale: tf.scalar(Math.exp(logitScale)) } : {}),
  };
}

/** Whether training changes the leaf of this name: LoRA, ACE-HGNN and the scale; all else is frozen. */
export function isTrainable(name: string): boolean {
  return /(^|\.)lora\.lora[AB]$/.test(name) || name.startsWith("hgnn.") || name === "scale";
}

/** The leaves that training changes, by name. */
export function trainableTensors(params: AceLoraParams): Map<string, Tensor> {
  return new Map([...namedTensors(params)].filter(([name]) => isTrainable(name)));
}

/**
 * How many numbers training changes: 969,217 for BiomedCLIP with the paper's settings.
 *
 * @example Of plain LoRA
 * ```ts
 * import { ACE_LORA_LORA, countTrainable, initAceLora, loadClip, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config } = await loadClip(); // the shipped mini model
 * const adapted = await initAceLora(params, { encoders: config, lora: ACE_LORA_LORA });
 * assertEquals(countTrainable(adapted), 18_433);
 * ```
 */
export function countTrainable(params: AceLoraParams): number {
  return countParams(params, isTrainable);
}

/**
 * The model for evaluation: updates merged into the frozen weights. Free it with `disposeParams(result, params)`.
 *
 * @example No LoRA is left
 * ```ts
 * import { ACE_LORA_LORA, initAceLora, loadClip, mergeAceLora, namedTensors, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config } = await loadClip(); // the shipped mini model
 * const adapted = await initAceLora(params, { encoders: config, lora: ACE_LORA_LORA });
 * const merged = mergeAceLora(adapted);
 * assertEquals([...namedTensors(merged).keys()].filter((name) => name.includes("lora")), []);
 * ```
 */
export function mergeAceLora(params: AceLoraParams): AceLoraParams {
  return mergeUpdates(params);
}

/**
 * Features of images: unit rows, after ACE-HGNN where there is one.
 *
 * @param params Weights.
 * @param pixels Normalised images, shape `[B, S, S, 3]`.
 * @returns Shape `[B, E]`. The caller disposes it.
 *
 * @example One image
 * ```ts
 * import { imageFeatures, imageSource, loadClip, rsnaLike, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 * import * as tf from "@tensorflow/tfjs";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config } = await loadClip(); // the shipped mini model
 * const { cases } = rsnaLike(1, 1); // synthetic
 * const side = config.vision.imageSize;
 * const pixels = tf.tensor4d(await imageSource(cases, config).pixels([0]), [1, side, side, 3]);
 * assertEquals(imageFeatures(params, pixels, { encoders: config }).shape, [1, config.embedding]);
 * ```
 */
export function imageFeatures(
  params: AceLoraParams,
  pixels: Tensor4D,
  config: AceLoraConfig,
  options: FeatureOptions = {},
): Tensor2D {
  return tf.tidy(() => {
    const { tokens, affinity } = imageTokens(params, pixels, config, options);
    return contextualise(params.hgnn?.image, tokens, affinity, config);
  });
}

/**
 * Features of texts: unit rows, after ACE-HGNN where there is one.
 *
 * @param params Weights.
 * @param ids Token ids, shape `[B, N + 1]` int32.
 * @returns Shape `[B, E]`. The caller disposes it.
 *
 * @example Two texts
 * ```ts
 * import { loadClip, selectBackend, textFeatures, tokenise } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 * import * as tf from "@tensorflow/tfjs";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config, tokenizer } = await loadClip(); // the shipped mini model
 * const { ids, contextLength } = tokenise(tokenizer, ["pneumonia", "no finding"], config);
 * const features = textFeatures(params, tf.tensor2d(ids, [2, contextLength], "int32"), { encoders: config });
 * assertEquals(features.shape, [2, config.embedding]);
 * ```
 */
export function textFeatures(
  params: AceLoraParams,
  ids: Tensor2D,
  config: AceLoraConfig,
  options: FeatureOptions = {},
): Tensor2D {
  return tf.tidy(() => {
    const { tokens, affinity } = textTokens(params, ids, config, options);
    return contextualise(params.hgnn?.text, tokens, affinity, config);
  });
}

/** Unit tokens of images and, where ACE-HGNN reads them, the CLS attention logits. */
export function imageTokens(
  params: AceLoraParams,
  pixels: Tensor4D,
  config: AceLoraConfig,
  options: FeatureOptions = {},
): EncoderResult {
  const reads = params.hgnn?.image ? { affinity: "logits" as const } : { clsOnly: true };
  return unitTokens(() => encodeImage(params, pixels, config.encoders, { ...reads, ...ofTower(options, "image") }));
}

/** Unit tokens of texts and, where ACE-HGNN reads them, the CLS attention. */
export function textTokens(
  params: AceLoraParams,
  ids: Tensor2D,
  config: AceLoraConfig,
  options: FeatureOptions = {},
): EncoderResult {
  const reads = params.hgnn?.text ? { affinity: textAffinityOf(config) } : { clsOnly: true };
  return unitTokens(() => encodeText(params, ids, config.encoders, { ...reads, ...ofTower(options, "text") }));
}

/**
 * The feature of each class from its prompts: token features averaged over prompts token by token, the attention likewise,
 * then ACE-HGNN, then unit length.
 *
 * Source: method section 6.
 *
 * @param params Weights.
 * @param ids Token ids of `C` classes times `P` prompts, class by class; shape `[C·P, N + 1]`.
 * @param prompts P.
 * @returns Shape `[C, E]`. The caller disposes it.
 */
export function promptFeatures(params: AceLoraParams, ids: Tensor2D, prompts: number, config: AceLoraConfig): Tensor2D {
  return tf.tidy(() => {
    const { tokens, affinity } = textTokens(params, ids, config);
    const classes = ids.shape[0] / prompts;
    const mean = <T extends Tensor>(x: T): T => tf.mean(tf.reshape(x, [classes, prompts, ...x.shape.slice(1)]), 1);
    return contextualise(params.hgnn?.text, mean(tokens), affinity && mean(affinity), config);
  });
}

/** The options of one tower, which draws its own random numbers. */
function ofTower({ seed, recompute }: FeatureOptions, name: string): FeatureOptions {
  return {
    ...(seed === undefined ? {} : { seed: deriveSeed(seed, name) }),
    ...(recompute ? { recompute } : {}),
  };
}

function unitTokens(encode: () => EncoderResult): EncoderResult {
  const { tokens, affinity } = encode();
  const unit = l2Normalise(tokens);
  tokens.dispose();
  return affinity ? { tokens: unit, affinity } : { tokens: unit };
}

/**
 * Unit features from unit tokens: steps 1 to 5 of method section 3, or the CLS token where there is no ACE-HGNN.
 *
 * @param tokens CLS first, shape `[B, N + 1, E]`.
 * @param affinity CLS attention, shape `[B, N]`; read by ACE-HGNN alone.
 * @returns Shape `[B, E]`. The caller disposes it.
 */
export function contextualise(
  hgnn: AceHgnnParams | undefined,
  tokens: Tensor3D,
  affinity: Tensor2D | undefined,
  config: AceLoraConfig,
): Tensor2D {
  const [batch, , width] = tokens.shape;
  const cls = hgnn
    ? hypergraph(hgnn, tokens, affinity!, config.hgnn!)
    : reshape(tf.slice(tokens, [0, 0, 0], [batch, 1, width]), [batch, width]);
  return l2Normalise(cls);
}

/** The similarity's scale s: the learned one, else `exp(logitScale)`. */
export function similarityScale(params: AceLoraParams): Scalar {
  return params.scale ? tf.clone(params.scale) : tf.exp(params.logitScale);
}

/** Options of {@linkcode contrastiveLoss}. */
export interface ContrastiveLossOptions extends FeatureOptions {
  /** Pairs that take part, from `falseNegativeMask`; shape `[B, B]`. @default {all: plain InfoNCE} */
  pairMask?: Tensor2D;
}

/** Images and texts of one batch. */
export interface PairTensors {
  /** Normalised images, shape `[B, S, S, 3]`. */
  pixels: Tensor4D;
  /** Token ids, shape `[B, N + 1]` int32. */
  ids: Tensor2D;
}

/**
 * The training loss of a batch of pairs, the one that `fit` computes from features: (label-guided) InfoNCE, or the sigmoid loss
 * where the model's similarity is one. Pairs outside the mask leave it.
 *
 * @returns Scalar, nats. The caller disposes it.
 *
 * @example Of two pairs
 * ```ts
 * import { contrastiveLoss, loadClip, pairSource, selectBackend, trainingSet } from "@ace-lora/ace-lora";
 * import { assert } from "@std/assert";
 * import * as tf from "@tensorflow/tfjs";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config, tokenizer } = await loadClip(); // the shipped mini model
 * const source = pairSource(trainingSet(2, 1), config, tokenizer);
 * const { imageSize: side, contextLength } = source;
 * const loss = contrastiveLoss(params, {
 *   pixels: tf.tensor4d(await source.pixels([0, 1]), [2, side, side, 3]),
 *   ids: tf.tensor2d(await source.ids([0, 1]), [2, contextLength], "int32"),
 * }, { encoders: config });
 * assert((await loss.data())[0]! > 0);
 * ```
 */
export function contrastiveLoss(
  params: AceLoraParams,
  batch: PairTensors,
  config: AceLoraConfig,
  options: ContrastiveLossOptions = {},
): Scalar {
  return tf.tidy(() => {
    const image = imageFeatures(params, batch.pixels, config, options);
    const text = textFeatures(params, batch.ids, config, options);
    return pairLoss(params, { image, text }, config, options);
  });
}

/** The loss of a batch's unit features, each `[B, E]`; see {@linkcode contrastiveLoss}. */
export function pairLoss(
  params: AceLoraParams,
  features: { image: Tensor2D; text: Tensor2D },
  config: AceLoraConfig,
  { pairMask }: InfoNceOptions = {},
): Scalar {
  const { loss = config.encoders.similarity === "sigmoid" ? "sigmoid" : "info-nce" } = config;
  const options = pairMask ? { pairMask } : {};
  return tf.tidy(() => {
    const scale = similarityScale(params);
    if (loss === "info-nce") return infoNce(features.image, features.text, scale, options);
    return sigmoidLoss(features, { scale, bias: params.logitBias ?? tf.scalar(0) }, options);
  });
}

/**
 * ACE-LoRA (or plain LoRA, or the frozen model, as the configuration says) as training and evaluation take it.
 *
 * @example The frozen model, asked for features
 * ```ts
 * import { aceLoraModel, loadClip, selectBackend, tokenise } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 * import * as tf from "@tensorflow/tfjs";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config, tokenizer } = await loadClip(); // the shipped mini model
 * const model = aceLoraModel({ encoders: config, learnScale: false }, "zero-shot");
 * const { ids, contextLength } = tokenise(tokenizer, ["pneumonia"], config);
 * assertEquals(model.textFeatures(params, tf.tensor2d(ids, [1, contextLength], "int32")).shape, [1, config.embedding]);
 * ```
 */
export function aceLoraModel(config: AceLoraConfig, name = "ACE-LoRA"): ContrastiveModel<AceLoraParams> {
  return {
    name,
    isTrainable,
    imageFeatures: (params, pixels, options) => imageFeatures(params, pixels, config, options),
    textFeatures: (params, ids, options) => textFeatures(params, ids, config, options),
    promptFeatures: (params, ids, prompts) => promptFeatures(params, ids, prompts, config),
    scale: similarityScale,
    ...(config.encoders.similarity === "sigmoid"
      ? { bias: (params: AceLoraParams) => tf.clone(params.logitBias ?? tf.scalar(0)) }
      : {}),
    loss: (params, features, options) => pairLoss(params, features, config, options),
    forEvaluation: mergeAceLora,
  };
}
