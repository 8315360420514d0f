/** What encoding comes to, done on nothing: webgpu compiles its programs by it while the weights are read. @module */
import * as tf from "@tensorflow/tfjs";
import type { ClipConfig } from "../config.ts";
import type { ContrastiveModel } from "../contrastive.ts";

/** What will be encoded at a time; programs depend on it. */
export interface EncodingSizes {
  /** Images. @default {none} */
  images?: number;
  /** Texts. @default {none} */
  texts?: number;
  /** Prompts of a class. @default {none} */
  prompts?: number;
}

/**
 * Encodes tensors that were never given numbers, and frees what comes of it: for the option `ahead` of `loadClip`.
 *
 * @param params Weights, with numbers or without.
 */
export function encodeNothing<T>(
  model: ContrastiveModel<T>,
  params: T,
  config: ClipConfig,
  { images = 0, texts = 0, prompts = 0 }: EncodingSizes,
): void {
  const { vision: { imageSize }, text } = config;
  tf.tidy(() => {
    if (images > 0) model.imageFeatures(params, tf.fill([images, imageSize, imageSize, 3], 0));
    if (text.kind === "none") return;
    const ids = (count: number): tf.Tensor2D => tf.fill([count, text.contextLength], 0, "int32");
    if (texts > 0) model.textFeatures(params, ids(texts));
    if (prompts > 0) model.promptFeatures(params, ids(prompts), prompts);
  });
}
