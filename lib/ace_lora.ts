/**
 * ACE-LoRA in one file: a frozen CLIP with LoRA in its attention, ACE-HGNN over its tokens, label-guided InfoNCE. What is
 * added to the model is in ace_lora_params.ts.
 *
 * Source: Graph-Attentive Context Enhancement for Parameter-Efficient Adaptation of Medical Vision-Language Models,
 * arXiv 2603.17079.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import {
  type AceLoraConfig,
  type AceLoraParams,
  checkAceLora,
  isTrainable,
  mergeAceLora,
  textAffinityOf,
} from "./ace_lora_params.ts";
import {
  type ContrastiveLossOptions,
  type ContrastiveModel,
  FEATURE_RULES,
  type FeatureOptions,
  LOSS_RULES,
  type PairTensors,
  type PromptOptions,
} from "./clip/contrastive.ts";
import type { EncoderResult } from "./clip/towers/encoder.ts";
import { encodeImage, imagePlaces } from "./clip/towers/image.ts";
import { encodeText } from "./clip/towers/text.ts";
import type { AceHgnnParams } from "./hypergraph/ace_hgnn.ts";
import { hypergraph } from "./hypergraph/affinities.ts";
import { infoNce, type InfoNceOptions } from "./losses/info_nce.ts";
import { sigmoidLoss } from "./losses/sigmoid.ts";
import { checkOptions } from "./platform/options.ts";
import { l2Normalise } from "./tensor/kernels/l2_normalise/api.ts";
import { deriveSeed } from "./tensor/random.ts";
import { reshape } from "./tensor/typed.ts";
import type { Scalar, Tensor, Tensor2D, Tensor3D, Tensor4D } from "./tensor/types.ts";

export type { ContrastiveLossOptions, PairTensors } from "./clip/contrastive.ts";
export {
  type AceLoraConfig,
  type AceLoraParams,
  countTrainable,
  initAceLora,
  isTrainable,
  mergeAceLora,
  type TextAffinity,
  textAffinityOf,
  trainableTensors,
} from "./ace_lora_params.ts";

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
  { readsPads = false, ...options }: FeatureOptions & PromptOptions = {},
): EncoderResult {
  const reads = { readsPads, ...params.hgnn?.text ? { affinity: textAffinityOf(config) } : { clsOnly: true } };
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
export function promptFeatures(
  params: AceLoraParams,
  ids: Tensor2D,
  prompts: number,
  config: AceLoraConfig,
  options: PromptOptions = {},
): Tensor2D {
  return tf.tidy(() => {
    const { tokens, affinity } = textTokens(params, ids, config, options);
    const classes = ids.shape[0] / prompts;
    const mean = <T extends Tensor>(x: T): T => tf.mean(tf.reshape(x, [classes, prompts, ...x.shape.slice(1)]), 1);
    return contextualise(params.hgnn?.text, mean(tokens), affinity && mean(affinity), config);
  });
}

/** The options of one tower, which draws its own random numbers. */
function ofTower(options: FeatureOptions, name: string): FeatureOptions {
  checkOptions(`encode the ${name}`, options, FEATURE_RULES);
  const { seed, recompute } = options;
  return { ...(seed === undefined ? {} : { seed: deriveSeed(seed, name) }), ...(recompute ? { recompute } : {}) };
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
    ? hypergraph(hgnn, tokens, affinity, config.hgnn!)
    : reshape(tf.slice(tokens, [0, 0, 0], [batch, 1, width]), [batch, width]);
  return l2Normalise(cls);
}

/** The similarity's scale s: the learned one, else `exp(logitScale)`. */
export function similarityScale(params: AceLoraParams): Scalar {
  return params.scale ? tf.clone(params.scale) : tf.exp(params.logitScale);
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
  checkOptions("compute the loss", options, LOSS_RULES);
  const { pairMask, ...own } = options;
  return tf.tidy(() => {
    const image = imageFeatures(params, batch.pixels, config, own);
    const text = textFeatures(params, batch.ids, config, own);
    return pairLoss(params, { image, text }, config, pairMask ? { pairMask } : {});
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
 * @throws {TypeError | RangeError} If a setting is unknown, missing or of another kind.
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
  checkAceLora(config);
  return {
    name,
    isTrainable,
    imageFeatures: (params, pixels, options) => imageFeatures(params, pixels, config, options),
    textFeatures: (params, ids, options) => textFeatures(params, ids, config, options),
    promptFeatures: (params, ids, prompts, options) => promptFeatures(params, ids, prompts, config, options),
    ...(config.encoders.local
      ? {
        local: {
          places: (params, pixels) => imagePlaces(params, pixels, config.encoders),
          tokens: (params, ids) => encodeText(params, ids, config.encoders).tokens,
        },
      }
      : {}),
    scale: similarityScale,
    ...(config.encoders.similarity === "sigmoid"
      ? { bias: (params: AceLoraParams) => tf.clone(params.logitBias ?? tf.scalar(0)) }
      : {}),
    loss: (params, features, options) => pairLoss(params, features, config, options),
    forEvaluation: mergeAceLora,
  };
}
