/**
 * Learning from labels in place of reports: a linear head on the adapted image features, trained with them or alone.
 *
 * `x = √E W f + b` for an image's unit feature `f`, whose components are of the order 1 at that length.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { type AceLoraConfig, aceLoraModel, type AceLoraParams, isTrainable } from "./ace_lora.ts";
import type { ContrastiveModel } from "./clip/contrastive.ts";
import { weightedBce } from "./losses/weighted_bce.ts";
import type { Tensor2D } from "./tensor/types.ts";
import { add, matMul, mul } from "./tensor/typed.ts";
import { checkOptions, needed, NUMBERS, oneOf, type Rules } from "./platform/options.ts";

/** What learns: the head with the image side of the adapter, or the head alone. */
export type HeadTraining = "joint" | "alone";

/** A head of zeros for so many classes: every answer is a half. The caller frees it. */
export function initHead(embedding: number, classes: number): NonNullable<AceLoraParams["head"]> {
  return { weight: tf.zeros([classes, embedding]), bias: tf.zeros([classes]) };
}

/** Logits of the head for unit features `[B, E]`: shape `[B, C]`. The caller disposes them. */
export function headLogits(head: NonNullable<AceLoraParams["head"]>, features: Tensor2D): Tensor2D {
  return tf.tidy(() => {
    const scaled = mul(features, Math.sqrt(features.shape[1]));
    return add(matMul(scaled, head.weight, false, true), head.bias!);
  });
}

/** What they must be. */
const SUPERVISED_RULES: Rules<{ positiveWeights: readonly number[]; training: HeadTraining }> = {
  positiveWeights: needed(NUMBERS),
  training: needed(oneOf(["joint", "alone"])),
};

/**
 * The model as `fit` trains it with the loss `supervised`: an image's "feature" is its logits `[B, C]`, its "text" the row of its
 * targets, and the loss the weighted cross-entropy of the two.
 *
 * @param config Of a tree that has a head.
 * @param options `positiveWeights`: what a positive label of each class weighs, see `weightedBce`.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function supervisedModel(
  config: AceLoraConfig,
  options: { positiveWeights: readonly number[]; training: HeadTraining },
): ContrastiveModel<AceLoraParams> {
  checkOptions("learn from labels", options, SUPERVISED_RULES);
  const { positiveWeights, training } = options;
  const model = aceLoraModel(config, training === "joint" ? "ACE-LoRA with a head" : "head");
  const isOfImages = (name: string): boolean => isTrainable(name) && !/^(text|hgnn\.text)\.|^scale$/.test(name);
  return {
    ...model,
    isTrainable: (name) => name.startsWith("head.") || (training === "joint" && isOfImages(name)),
    imageFeatures: (params, pixels, options) =>
      tf.tidy(() => headLogits(params.head!, model.imageFeatures(params, pixels, options))),
    textFeatures: (_, targets) => tf.cast(targets, "float32"),
    loss: (_, { image, text }) => tf.tidy(() => weightedBce(image, text, tf.tensor1d([...positiveWeights]))),
  };
}
