/** The first stage of pre-training: the text tower learns from texts alone that different words can say the same. @module */
import * as tf from "@tensorflow/tfjs";
import { contentLabels } from "../../data/synthetic/pretraining_pairs.ts";
import { type TextPair, textPair } from "../../data/synthetic/text_pairs.ts";
import type { ClipParams } from "../../clip/params.ts";
import { encodeText } from "../../clip/towers/text.ts";
import { MINI } from "../../clip/architectures.ts";
import type { ClipConfig } from "../../clip/config.ts";
import type { ContrastiveModel } from "../../clip/contrastive.ts";
import { l2Normalise } from "../../tensor/kernels/l2_normalise/api.ts";
import { deriveSeed } from "../../tensor/random.ts";
import { infoNce } from "../../losses/info_nce.ts";
import { reshape } from "../../tensor/typed.ts";
import type { Tensor2D } from "../../tensor/types.ts";
import { encode, type Tokenizer } from "../../text/tokenizer.ts";
import type { BatchSource } from "../../train/source.ts";
import type { PretrainSettings } from "./settings.ts";

/** The model while it is pre-trained: the recipe of the shipped weights has no dropout on attention probabilities. */
const PRETRAINED: ClipConfig = { ...MINI, text: { ...MINI.text, attentionDropout: 0 } };

/** MINI's plain text features: the CLS token, unit rows `[B, E]`. */
export function plainTextFeatures(params: ClipParams, ids: Tensor2D, seed?: number): Tensor2D {
  return tf.tidy(() => {
    const { tokens } = encodeText(params, ids, PRETRAINED, { clsOnly: true, ...(seed === undefined ? {} : { seed }) });
    return l2Normalise(tf.reshape(tokens, [tokens.shape[0], tokens.shape[2]]));
  });
}

/** Both sides of a pair are texts; the second one's ids come in the place of pixels, as {@linkcode textSource} gives them. */
export const TEXT_STAGE: ContrastiveModel<ClipParams> = {
  name: "MINI pre-training, text",
  isTrainable: (name) => name.startsWith("text.") || name === "logitScale",
  imageFeatures: (params, pixels, { seed } = {}) =>
    tf.tidy(() => {
      const ids = tf.cast(reshape(pixels, [pixels.shape[0], -1]), "int32");
      return plainTextFeatures(params, ids, seed === undefined ? undefined : deriveSeed(seed, "second text"));
    }),
  textFeatures: (params, ids, { seed } = {}) =>
    plainTextFeatures(params, ids, seed === undefined ? undefined : deriveSeed(seed, "first text")),
  promptFeatures: () => {
    throw new Error("The pre-training model is not evaluated");
  },
  scale: (params) => tf.exp(params.logitScale),
  loss: (params, { image, text }, options) => tf.tidy(() => infoNce(image, text, tf.exp(params.logitScale), options)),
  forEvaluation: (params) => params,
};

/**
 * Fresh pairs of texts by index. Reports and plain words never share a batch: they would be told apart from each other, but
 * for those of the same contents, and so the specialist's words be tied to what is seen.
 */
export function textSource(settings: PretrainSettings, tokenizer: Tokenizer): BatchSource {
  const { seed, textSteps, batchSize, plainEvery } = settings;
  const { contextLength } = MINI.text;
  const pair = (index: number): TextPair => {
    const plain = Math.floor(index / batchSize) % plainEvery === plainEvery - 1;
    return textPair(deriveSeed(seed, `texts ${index}`), { ...settings, plain });
  };
  const ids = (indices: readonly number[], which: 0 | 1): Int32Array =>
    encode(tokenizer, indices.map((index) => pair(index).texts[which]), { contextLength });
  return {
    size: textSteps * batchSize,
    imageSize: Math.sqrt(contextLength / 3), // 4: so many numbers an "image" as a text has ids
    contextLength,
    ids: (indices) => Promise.resolve(ids(indices, 0)),
    pixels: (indices) => Promise.resolve(Float32Array.from(ids(indices, 1))),
    labels: (indices) => Promise.resolve(indices.map((index) => contentLabels(pair(index)))),
  };
}
