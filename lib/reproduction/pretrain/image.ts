/** The second stage of pre-training: the image tower learns to match the text tower, which no longer changes. @module */
import * as tf from "@tensorflow/tfjs";
import { contentLabels, pretrainingPlan } from "../../data/synthetic/pretraining_pairs.ts";
import type { ClipParams } from "../../clip/params.ts";
import { encodeImage } from "../../clip/towers/image.ts";
import { MINI } from "../../clip/architectures.ts";
import { toPixels } from "../../image/preprocess.ts";
import type { RasterImage } from "../../image/raster.ts";
import type { ContrastiveModel } from "../../clip/contrastive.ts";
import { l2Normalise } from "../../tensor/kernels/l2_normalise/api.ts";
import { deriveSeed } from "../../tensor/random.ts";
import { encode, type Tokenizer } from "../../text/tokenizer.ts";
import type { BatchSource } from "../../train/source.ts";
import type { PretrainSettings } from "./settings.ts";
import { plainTextFeatures, TEXT_STAGE } from "./text.ts";

/** Images against captions, MINI's text tower frozen. */
export const IMAGE_STAGE: ContrastiveModel<ClipParams> = {
  ...TEXT_STAGE,
  name: "MINI pre-training, image",
  isTrainable: (name) => name.startsWith("vision.") || name === "logitScale",
  // By turns the CLS token and the mean of the others: the mean teaches a small ViT sooner, and gives the local tokens
  // that ACE-HGNN reads a place in the embedding.
  imageFeatures: (params, pixels, { seed } = {}) =>
    tf.tidy(() => {
      const clsOnly = seed === undefined || seed % 2 === 0;
      const { tokens } = encodeImage(params, pixels, MINI, { clsOnly, ...(seed === undefined ? {} : { seed }) });
      return l2Normalise(tf.mean(clsOnly ? tokens : tf.slice(tokens, [0, 1, 0]), 1));
    }),
  textFeatures: (params, ids) => plainTextFeatures(params, ids),
};

/** Images as MINI reads them in training, row-major `[n, S, S, 3]`. */
export function miniPixels(images: readonly RasterImage[]): Float32Array {
  const { mean, std, vision: { imageSize: size } } = MINI;
  const pixels = new Float32Array(images.length * size * size * 3);
  images.forEach((image, i) => pixels.set(toPixels(image, { size, mode: "train", mean, std }), i * size * size * 3));
  return pixels;
}

/** Fresh images with captions, by index. */
export function captionSource(settings: PretrainSettings, tokenizer: Tokenizer): BatchSource {
  const { seed, imageSteps, batchSize, captionLength: contextLength } = settings;
  const { imageSize } = MINI.vision;
  const plan = (index: number) => pretrainingPlan(deriveSeed(seed, `pair ${index}`), settings);
  return {
    size: imageSteps * batchSize,
    imageSize,
    contextLength,
    ids: (indices) => {
      const texts = indices.map((index) => plan(index).text());
      return Promise.resolve(encode(tokenizer, texts, { contextLength }));
    },
    pixels: (indices) => Promise.resolve(miniPixels(indices.map((index) => plan(index).image(imageSize)))),
    labels: (indices) => Promise.resolve(indices.map((index) => contentLabels(plan(index)))),
  };
}
