/** LoRA with few labels: trained on the images of the shots, asked zero-shot. @module */
import * as tf from "@tensorflow/tfjs";
import type { ClipParams } from "../../clip/params.ts";
import type { ClipConfig } from "../../clip/config.ts";
import type { ContrastiveModel } from "../../clip/contrastive.ts";
import type { ClipTokenizer } from "../../clip/tokenise.ts";
import { classifyZeroShot, type ClassPrompts } from "../../clip/zero_shot/scores.ts";
import { CHEST_TEMPLATES } from "../../clip/zero_shot/prompts.ts";
import { classPrompts, imageSource } from "../../data/sources.ts";
import type { ImageReader } from "../../data/pixels/reader.ts";
import type { Case, Dataset } from "../../data/types.ts";
import { loraMethod } from "../../peft/lora/method.ts";
import type { PeftParams } from "../../peft/method.ts";
import { disposeParams } from "../../tensor/params.ts";
import { tidy } from "../../tensor/ops.ts";
import { ofRank } from "../../tensor/shape.ts";
import { reshape } from "../../tensor/typed.ts";
import { fit } from "../../train/fit.ts";
import { fittingMicroBatch, sampleBytes } from "../../train/step_memory.ts";
import { type ProbeAnswer, shareRight } from "./task.ts";
import { checkOptions, COUNT, INTEGER, RECORD, type Rule, type Rules, TEXTS } from "../../platform/options.ts";

/** The model that is adapted, and what it learns from and is asked. */
export interface LoraProbe {
  /** Frozen weights; borrowed. */
  base: ClipParams;
  /** Its sizes. */
  encoders: ClipConfig;
  /** Its tokeniser. */
  tokenizer: ClipTokenizer;
  /** Names that prompts use for the classes. */
  classes: Dataset["classes"];
  /** The shots, each with a target. */
  train: readonly Case[];
  /** Cases that choose the learning rate, likewise. */
  validation: readonly Case[];
  /** Cases asked about. */
  queries: readonly Case[];
}

/** Options of {@linkcode loraProbe}. */
export interface LoraProbeOptions {
  /** Prompt templates. @default {the paper's two} */
  templates?: readonly string[];
  /** Passes over the shots. @default {40} */
  epochs?: number;
  /** Shots a batch. @default {32} */
  batchSize?: number;
  /** Shots encoded at a time. @default {8, or fewer where the backend's memory holds fewer} */
  microBatch?: number;
  /**
   * Highest learning rates; of several the one with most right answers on the validation cases, of equal ones the one whose
   * answers are likelier: of one case a class few are told apart by the number alone. @default {[1e-3, 1e-2]}
   */
  learningRates?: readonly number[];
  /** Seed of weights, orders and dropout. @default {1} */
  seed?: number;
  /** Reads the images that are files of their own. @default {each case's `image()`} */
  reader?: ImageReader;
  /** Ends the training under way: the error is then the signal's reason. */
  signal?: AbortSignal;
}

const RATES: Rule = {
  must: "a list of numbers above 0, at least one",
  type: "object",
  allows: (rates) => Array.isArray(rates) && rates.length > 0 && rates.every((rate) => rate > 0 && rate < Infinity),
};

/** What they must be. */
const LORA_PROBE_RULES: Rules<LoraProbeOptions> = {
  templates: TEXTS,
  epochs: COUNT,
  batchSize: COUNT,
  microBatch: COUNT,
  learningRates: RATES,
  seed: INTEGER,
  reader: RECORD,
  signal: RECORD,
};

/**
 * Scores of a model whose LoRA was trained on shots by cross-entropy over the classes' prompts, `softmax(s · V Tᵀ)`: the question
 * that it is asked afterwards.
 *
 * Source: Zanella and Ben Ayed 2024, CLIP-LoRA. Differs: LoRA as the paper compares it (rank 4, dropout 0.1), AdamW with the
 * learning rate chosen on validation cases for passes over the shots (theirs: 2e-4 for 500 steps a shot), images as they are
 * (theirs: cropped and flipped at random).
 *
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function loraProbe(probe: LoraProbe, options: LoraProbeOptions = {}): Promise<ProbeAnswer> {
  checkOptions("probe by LoRA", options, LORA_PROBE_RULES);
  const { base, encoders, tokenizer, classes, train, validation, queries } = probe;
  const { templates = CHEST_TEMPLATES, epochs = 40, batchSize = 32, seed = 1, reader, signal } = options;
  const { learningRates = [1e-3, 1e-2] } = options;
  const reading = reader ? { reader } : {};
  const method = loraMethod(encoders);
  const prompts = classPrompts(classes, encoders, tokenizer, templates);
  const scoresOf = (params: PeftParams, cases: readonly Case[]): Promise<Float32Array> =>
    classifyZeroShot(method.model, params, imageSource(cases, encoders, reading), prompts);
  const besides = prompts.ids.length / prompts.contextLength * sampleBytes(encoders, ["text"]); // every step's loss has them all
  const fitting = fittingMicroBatch(encoders, { towers: ["image"], besides });
  const { microBatch = Math.min(8, Math.max(1, fitting)) } = options;
  const size = Math.min(batchSize, train.length);
  const targets = validation.map(({ target }) => target!);
  let best: { scores: Float32Array; learningRate: number; right: number; logLoss: number } | undefined;
  for (const learningRate of learningRates) {
    const start = await method.prepare(base, { seed });
    const source = {
      ...imageSource(train, encoders, reading),
      contextLength: 1,
      ids: (indices: readonly number[]) => Promise.resolve(Int32Array.from(indices, (i) => train[i]!.target!)),
    };
    const { params, interrupted } = await fit(classifier(method.model, prompts), start, source, {
      epochs,
      batchSize: size,
      microBatch: Math.min(microBatch, size),
      learningRate,
      seed,
      loss: "supervised",
      ...(signal ? { signal } : {}),
    });
    try {
      if (interrupted) signal!.throwIfAborted();
      const answers = learningRates.length < 2 ? undefined : await scoresOf(params, validation);
      const [right, logLoss] = answers ? [shareRight(answers, targets), logLossOf(answers, targets)] : [0, 0];
      const own = { learningRate, right, logLoss };
      if (!best || own.right > best.right || (own.right === best.right && own.logLoss < best.logLoss)) {
        best = { ...own, scores: await scoresOf(params, queries) };
      }
    } finally {
      disposeParams(params, start);
      disposeParams(start, base);
    }
  }
  return { scores: Float64Array.from(best!.scores), chosen: { learning_rate: best!.learningRate } };
}

/** Minus the logarithm of the right answers' probabilities, over all cases. */
function logLossOf(probabilities: ArrayLike<number>, targets: readonly number[]): number {
  const classes = probabilities.length / targets.length;
  return -targets.reduce((sum, target, i) => sum + Math.log(Math.max(1e-45, probabilities[i * classes + target]!)), 0);
}

/** The model as a classifier over prompts: a sample's "text" is its class, one-hot, and the loss the cross-entropy. */
function classifier<T>(model: ContrastiveModel<T>, { ids, contextLength, prompts }: ClassPrompts): ContrastiveModel<T> {
  const count = ids.length / contextLength / prompts;
  return {
    ...model,
    textFeatures: (_, targets) =>
      // tf.js's wasm writes integers where oneHot() is asked for floats
      tidy(() => ofRank(tf.cast(tf.oneHot(reshape(targets, [-1]), count), "float32"), 2, "targets")),
    loss: (params, { image, text }) =>
      tidy(() => {
        const rows = tf.tensor2d(ids, [count * prompts, contextLength], "int32");
        const cosines = tf.matMul(image, model.promptFeatures(params, rows, prompts), false, true);
        const logits = tf.mul(cosines, model.scale(params));
        return tf.neg(tf.mean(tf.sum(tf.mul(text, tf.logSoftmax(logits)), 1)));
      }),
  };
}
