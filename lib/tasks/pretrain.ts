/** Pre-trains the generalist from scratch on coarse captions. @module */
import * as tf from "@tensorflow/tfjs";
import { pretrainingCaption, pretrainingPair } from "../data/synthetic/mod.ts";
import { type BiomedClipParams, encodeImage, encodeText } from "../encoders/biomed_clip.ts";
import { type BiomedClipConfig, MINI, type VitConfig } from "../encoders/config.ts";
import { initBiomedClip } from "../encoders/init.ts";
import type { ContrastiveModel } from "../model.ts";
import { l2Normalise } from "../tensor/ops.ts";
import { disposeParams, withTensors } from "../tensor/params.ts";
import { deriveSeed } from "../tensor/random.ts";
import type { Tensor2D, Tensor3D } from "../tensor/types.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { fit, type FitOptions, type FitResult } from "../train/fit.ts";
import type { BatchSource } from "../train/source.ts";
import { encode } from "../text/tokenizer.ts";
import { toPixels } from "../image/preprocess.ts";

/** Settings of a pre-training run. */
export interface PretrainSettings {
  /** Seed of weights, data, orders and dropout. */
  seed: number;
  /** Steps, half a stage. */
  steps: number;
  /** Pairs a batch; every pair is drawn anew. */
  batchSize: number;
  /** Highest learning rate. */
  learningRate: number;
  /** Share of chest radiographs among the images. */
  chestShare: number;
  /** Share of chest captions that name one finding, in vague words. */
  findingShare: number;
  /** Share of those that name a wrong one. */
  wrongShare: number;
  /** Share of chest captions that only say normal or abnormal. */
  statusShare: number;
  /** Share of radiographs that show one finding, each as often as the others and never mild; the rest follow the prevalences. */
  evenShare: number;
  /** Tokens a caption; the longest has fewer. */
  contextLength: number;
}

/** The settings the shipped weights were made with. */
export const PRETRAIN: PretrainSettings = {
  seed: 20260317,
  steps: 1000,
  batchSize: 64,
  learningRate: 1e-3,
  chestShare: 0.8,
  findingShare: 0.85,
  wrongShare: 0.08,
  statusShare: 0.1,
  evenShare: 0.7,
  contextLength: 24,
};

/** The model while it is pre-trained: the recipe of the shipped weights has no dropout on attention probabilities. */
const PRETRAINED: BiomedClipConfig = { ...MINI, text: { ...MINI.text, attentionDropout: 0 } };

/** Which towers a stage trains. */
export type PretrainStage = "image" | "both";

/**
 * MINI with plain features. The first stage trains the image tower against the random text tower: texts are apart from the
 * start there, while two untrained towers settle on telling modalities apart and nothing within one.
 */
export function pretrainingModel(stage: PretrainStage): ContrastiveModel<BiomedClipParams> {
  const cls = (tokens: Tensor3D): Tensor2D =>
    l2Normalise(tf.reshape(tokens, [tokens.shape[0], tokens.shape[2]]) as Tensor2D);
  const seeded = (seed: number | undefined, name: string): { seed?: number } =>
    seed === undefined ? {} : { seed: deriveSeed(seed, name) };
  return {
    name: `MINI pre-training, ${stage}`,
    isTrainable: (name) => stage === "both" || name.startsWith("vision.") || name === "logitScale",
    // By turns the CLS token and the mean of the others: the mean teaches a small ViT sooner, and gives the local tokens
    // that ACE-HGNN reads a place in the embedding.
    imageFeatures: (params, pixels, { seed } = {}) =>
      tf.tidy(() => {
        const clsOnly = seed === undefined || seed % 2 === 0;
        const { tokens } = encodeImage(params, pixels, MINI, { clsOnly, ...seeded(seed, "image") });
        return clsOnly ? cls(tokens) : l2Normalise(tf.mean(tf.slice(tokens, [0, 1, 0]), 1) as Tensor2D);
      }),
    textFeatures: (params, ids, { seed } = {}) =>
      tf.tidy(() => {
        const mode = stage === "both" ? seeded(seed, "text") : {};
        return cls(encodeText(params, ids, PRETRAINED, { clsOnly: true, ...mode }).tokens);
      }),
    promptFeatures: () => {
      throw new Error("The pre-training model is not evaluated");
    },
    scale: (params) => tf.exp(params.logitScale),
    forEvaluation: (params) => params,
  };
}

/** Fresh pairs, drawn by index when asked for. */
export function pretrainingSource(settings: PretrainSettings, tokenizer: Tokenizer): BatchSource {
  const { seed, steps, batchSize, contextLength } = settings;
  const { imageSize } = MINI.vision;
  const pairSeed = (index: number): number => deriveSeed(seed, `pair ${index}`);
  return {
    size: steps / 2 * batchSize,
    imageSize,
    contextLength,
    ids: (indices) => {
      const texts = indices.map((index) => pretrainingCaption(pairSeed(index), settings));
      return Promise.resolve(encode(tokenizer, texts, { contextLength }));
    },
    pixels: (indices) => {
      const size = imageSize * imageSize * 3;
      const pixels = new Float32Array(indices.length * size);
      indices.forEach((index, i) => {
        const { image } = pretrainingPair(pairSeed(index), { ...settings, size: imageSize });
        pixels.set(toPixels(image, { size: imageSize, mode: "train", mean: MINI.mean, std: MINI.std }), i * size);
      });
      return Promise.resolve(pixels);
    },
  };
}

/** The source's samples from `start` on: index 0 is its sample `start`. */
function from(source: BatchSource, start: number): BatchSource {
  const moved = (indices: readonly number[]): number[] => indices.map((index) => index + start);
  return {
    ...source,
    ids: (indices) => source.ids(moved(indices)),
    pixels: (indices) => source.pixels(moved(indices)),
  };
}

/**
 * Trains MINI from random weights on coarse captions of four synthetic modalities.
 *
 * @param tokenizer MINI's.
 * @returns The trained tree; free it with `disposeParams`.
 */
export async function pretrain(
  tokenizer: Tokenizer,
  settings: PretrainSettings = PRETRAIN,
  hooks: Pick<FitOptions, "onStep" | "signal" | "statePath" | "resume"> = {},
): Promise<FitResult<BiomedClipParams>> {
  const { seed, batchSize, learningRate } = settings;
  const random = initBiomedClip(MINI, seed);
  const start = withTensors(random, new Map([["vision.trunk.posEmbed", waves(MINI.vision)]]));
  random.vision.trunk.posEmbed.dispose();
  const source = pretrainingSource(settings, tokenizer);
  const half = (stage: PretrainStage, params: BiomedClipParams, start: number): Promise<FitResult<BiomedClipParams>> =>
    fit(pretrainingModel(stage), params, from(source, start), {
      ...hooks,
      ...(hooks.statePath ? { statePath: `${hooks.statePath}.${stage}` } : {}),
      epochs: 1,
      warmupEpochs: 0.05,
      beta2: 0.98, // the run is short
      batchSize,
      learningRate,
      loss: "info-nce",
      shuffle: false,
      seed,
    });
  const first = await half("image", start, 0);
  if (first.interrupted) return first;
  const second = await half("both", first.params, source.size);
  disposeParams(start, second.params);
  disposeParams(first.params, second.params);
  return { ...second, history: [...first.history, ...second.history] };
}

/** Position embeddings to start from: sines and cosines of row and column, as tall as the patches' embeddings; CLS has none. */
function waves({ imageSize, patchSize, width }: VitConfig): Tensor3D {
  const side = imageSize / patchSize;
  const quarter = width / 4;
  const row = (y: number, x: number): number[] =>
    [x, y].flatMap((place) =>
      [Math.sin, Math.cos].flatMap((wave) =>
        Array.from({ length: quarter }, (_, i) => wave(place / 100 ** (i / quarter)))
      )
    );
  const places = Array.from({ length: side * side }, (_, i) => row(Math.floor(i / side), i % side));
  return tf.tensor3d([[new Array<number>(width).fill(0), ...places]]) as Tensor3D;
}
