/** Figures that a training run steers by: measured again and again on the same cases, pictures decoded once. @module */
import * as tf from "@tensorflow/tfjs";
import type { ClipConfig } from "../clip/config.ts";
import type { ContrastiveModel } from "../clip/contrastive.ts";
import { type ClipTokenizer, tokenise } from "../clip/tokenise.ts";
import { classifyZeroShot, encodeImages } from "../clip/zero_shot/scores.ts";
import { classPrompts, imageSource } from "../data/sources.ts";
import type { ImageReader } from "../data/pixels/reader.ts";
import type { Dataset } from "../data/types.ts";
import { disposeParams } from "../tensor/params.ts";
import { checkClasses, datasetTargets } from "./assess.ts";
import { binaryAuroc, macroAuroc, multilabelAuroc } from "./metrics/auroc.ts";
import { retrieval } from "./retrieve.ts";
import { checkOptions, COUNT, needed, RECORD, type Rules, TEXTS } from "../platform/options.ts";

/** What {@linkcode zeroShotValidation} and {@linkcode retrievalValidation} need. */
export interface ValidationOptions {
  /** Sizes of the model. */
  config: ClipConfig;
  /** Its tokeniser. */
  tokenizer: ClipTokenizer;
  /** Prompt templates of zero-shot questions. @default {the paper's two} */
  templates?: readonly string[];
  /** Images encoded at a time. @default {32} */
  batchSize?: number;
  /** Decodes the images, elsewhere or ahead. @default {each is decoded when asked for} */
  reader?: ImageReader;
}

/** What they must be. */
const VALIDATION_RULES: Rules<ValidationOptions> = {
  config: needed(RECORD),
  tokenizer: needed(RECORD),
  templates: TEXTS,
  batchSize: COUNT,
  reader: RECORD,
};

/** Measures weights, which it borrows; higher is better. Rejects with the signal's reason soon after it aborts. */
export type Measure<T> = (params: T, signal?: AbortSignal) => Promise<{ name: string; value: number }>;

/**
 * Zero-shot AUROC on classified cases: binary, macro one-vs-rest, or macro over the labels, as {@linkcode assess} reports it.
 *
 * @throws {ClassCountError} If there are fewer than two classes.
 * @throws {TypeError} If a case has no class.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function zeroShotValidation<T>(
  model: ContrastiveModel<T>,
  dataset: Dataset,
  options: ValidationOptions,
): Measure<T> {
  checkOptions("validate", options, VALIDATION_RULES);
  const { config, tokenizer, templates, batchSize = 32, reader } = options;
  const { classes, task, score } = dataset;
  checkClasses(dataset);
  const targets = datasetTargets(dataset);
  const images = imageSource(dataset.cases, config, reader ? { reader } : {});
  const prompts = classPrompts(classes, config, tokenizer, templates);
  return async (params, signal) => {
    const scores = await classifyZeroShot(model, params, images, prompts, {
      batchSize,
      ...(score ? { score } : {}),
      onBatch: () => signal?.throwIfAborted(),
    });
    const value = task === "multilabel"
      ? multilabelAuroc(scores, targets, { classes }).value
      : classes.length === 2
      ? binaryAuroc(targets.map((_, i) => scores[2 * i + 1]!), targets)
      : macroAuroc(scores, targets, { classes }).value;
    return { name: "auroc", value };
  };
}

/**
 * Recall at K between the images and the texts of pairs, the mean of both directions; pairs of one text belong together.
 *
 * @param options `k`: answers looked at, 5 by default.
 * @throws {TypeError} If a case has no text.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function retrievalValidation<T>(
  model: ContrastiveModel<T>,
  { cases }: Dataset,
  options: ValidationOptions & { k?: number },
): Measure<T> {
  checkOptions("validate", options, { ...VALIDATION_RULES, k: COUNT });
  const { config, tokenizer, batchSize = 32, k = 5, reader } = options;
  const texts = cases.map(({ id, text }) => {
    if (text === undefined) throw new TypeError(`Cannot retrieve case "${id}" as it must have a text: it has none`);
    return text;
  });
  const { ids, contextLength } = tokenise(tokenizer, texts, config);
  const images = imageSource(cases, config, reader ? { reader } : {});
  return async (params, signal) => {
    const merged = model.forEvaluation(params);
    try {
      const text: number[] = [];
      for (let start = 0; start < texts.length; start += batchSize) {
        const count = Math.min(batchSize, texts.length - start);
        const rows = ids.subarray(start * contextLength, (start + count) * contextLength);
        const batch = tf.tensor2d(rows, [count, contextLength], "int32");
        const features = model.textFeatures(merged, batch);
        text.push(...await features.data());
        tf.dispose([batch, features]);
        signal?.throwIfAborted();
      }
      const image = await encodeImages(model, merged, images, { batchSize, onBatch: () => signal?.throwIfAborted() });
      const { imageToText, textToImage } = retrieval({ image, text, width: text.length / texts.length }, texts, [k]);
      return { name: `recall@${k}`, value: (imageToText.recall[k]! + textToImage.recall[k]!) / 2 };
    } finally {
      disposeParams(merged, params);
    }
  };
}
