/** Zero-shot evaluation of a model on a data set, as a record of figures. @module */
import { DATASET } from "../data/dataset.ts";
import type { Dataset } from "../data/types.ts";
import type { MethodResult } from "../display/results.ts";
import type { ClipConfig } from "../clip/config.ts";
import { summariseScores } from "./metrics/summary.ts";
import { classifyByProtocol } from "../clip/zero_shot/ask.ts";
import type { Protocol } from "../clip/zero_shot/protocol.ts";
import { classifyZeroShot } from "../clip/zero_shot/scores.ts";
import type { ContrastiveModel } from "../clip/contrastive.ts";
import {
  CALL,
  checkOptions,
  checkValue,
  COUNT,
  INTEGER,
  needed,
  RECORD,
  type Rules,
  TEXTS,
} from "../platform/options.ts";
import { countParams } from "../tensor/params.ts";
import type { ClipTokenizer } from "../clip/tokenise.ts";
import type { ImageReader } from "../data/pixels/reader.ts";
import { classPrompts, imageSource } from "../data/sources.ts";
import { datasetPredictions, type Predictions } from "./evaluation/predictions.ts";

/** What {@linkcode assess} needs besides model and data. */
export interface AssessOptions {
  /** Sizes of the model. */
  config: ClipConfig;
  /** Its tokeniser. */
  tokenizer: ClipTokenizer;
  /** Prompt templates. @default {the paper's two} */
  templates?: readonly string[];
  /** How the classes are asked, in place of templates and the set's `score`. @default {none} */
  protocol?: Protocol;
  /** Images encoded at a time. @default {32} */
  batchSize?: number;
  /** Bootstrap resamples. @default {1000} */
  resamples?: number;
  /** Seed of the bootstrap. @default {1} */
  seed?: number;
  /** Reads the images that are files of their own. @default {none: each case's `image()`} */
  reader?: ImageReader;
  /** Called with the images done so far. */
  onBatch?: (done: number) => void;
}

/** What they must be. */
const SCORING_RULES: Rules<Omit<AssessOptions, "resamples" | "seed">> = {
  config: needed(RECORD),
  tokenizer: needed(RECORD),
  templates: TEXTS,
  protocol: RECORD,
  batchSize: COUNT,
  reader: RECORD,
  onBatch: CALL,
};
const RESULT_RULES: Rules<Pick<AssessOptions, "resamples" | "seed">> = { resamples: COUNT, seed: INTEGER };
const ASSESS_RULES: Rules<AssessOptions> = { ...SCORING_RULES, ...RESULT_RULES };

/** Figures and what they were computed from. */
export interface Assessment {
  /** Accuracy, AUROC, intervals, counts. */
  result: MethodResult;
  /** Class probabilities, or the scores that the set's `score` names; row-major `[n, C]`. */
  scores: Float32Array;
  /** Class index of each case, or `[n, C]` zeros and ones when multi-label. */
  targets: number[];
}

/** Scores of a model, before they are judged. */
export interface DatasetScores extends Pick<Assessment, "scores" | "targets"> {
  /** Trainable numbers of the model. */
  trainable: number;
}

/**
 * Zero-shot scores of a model on a data set.
 *
 * @throws {TypeError} If a case has no target.
 * @throws {ClassCountError} If there are fewer than two classes to tell apart.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function scoreDataset<T>(
  model: ContrastiveModel<T>,
  params: T,
  dataset: Dataset,
  options: Omit<AssessOptions, "resamples" | "seed">,
): Promise<DatasetScores> {
  checkOptions("evaluate", options, SCORING_RULES);
  const { config, tokenizer, templates, protocol, batchSize = 32, reader, onBatch } = options;
  checkValue("evaluate", "the cases", dataset, DATASET);
  checkClasses(dataset);
  const targets = datasetTargets(dataset);
  const { classes, score } = dataset;
  const images = imageSource(dataset.cases, config, reader ? { reader } : {});
  const encoding = { batchSize, ...(onBatch ? { onBatch } : {}) };
  const scores = protocol
    ? await classifyByProtocol(model, params, images, { protocol, classes, config, tokenizer }, encoding)
    : await classifyZeroShot(model, params, images, classPrompts(classes, config, tokenizer, templates), {
      ...encoding,
      ...(score ? { score } : {}),
    });
  return { scores, targets, trainable: countParams(params, model.isTrainable) };
}

/**
 * Zero-shot figures of a model on a data set, as {@linkcode scoreDataset} scores it.
 *
 * @throws {TypeError} If a case has no target.
 * @throws {ClassCountError} If there are fewer than two classes to tell apart.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 *
 * @example The frozen mini model on synthetic radiographs
 * ```ts
 * import { aceLoraModel, assess, loadClip, rsnaLike, selectBackend } from "@ace-lora/ace-lora";
 * import { assert } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config, tokenizer } = await loadClip(); // the shipped mini model
 * const model = aceLoraModel({ encoders: config, learnScale: false });
 * const { result, targets } = await assess(model, params, rsnaLike(8, 1), { config, tokenizer });
 * assert(targets.length === 8 && result.auroc! >= 0);
 * ```
 */
export async function assess<T>(
  model: ContrastiveModel<T>,
  params: T,
  dataset: Dataset,
  options: AssessOptions,
): Promise<Assessment> {
  checkOptions("evaluate", options, ASSESS_RULES);
  const { resamples = 1000, seed = 1, ...scoring } = options;
  const { scores, targets, trainable } = await scoreDataset(model, params, dataset, scoring);
  const predictions = datasetPredictions(dataset, { scores, targets });
  return { scores, targets, result: { ...methodResult(predictions, { resamples, seed }), trainable } };
}

/**
 * Accuracy and AUROC of predictions with intervals over cases.
 *
 * @throws {TypeError} If scores and targets do not fit.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function methodResult(
  { classes, task, scores, targets }: Predictions,
  options: Pick<AssessOptions, "resamples" | "seed"> = {},
): Omit<MethodResult, "trainable"> {
  checkOptions("summarise", options, RESULT_RULES);
  const summary = summariseScores(scores, targets, { classes, task, ...options });
  const positives = (c: number): number =>
    task === "multilabel"
      ? targets.filter((target, i) => target === 1 && i % classes.length === c).length
      : targets.filter((target) => target === c).length;
  // Of two classes the one figure is the area of the second.
  const perClass = task === "multilabel" || classes.length > 2
    ? {
      per_class: Object.fromEntries(
        classes.map((name, c) => [name, { n: positives(c), auroc: summary.perClass[c]! }]),
      ),
    }
    : {};
  return {
    accuracy: summary.accuracy,
    accuracy_ci: summary.accuracyInterval,
    auroc: summary.auroc,
    auroc_ci: summary.aurocInterval,
    n: summary.n,
    ...perClass,
    ...(summary.skipped.length > 0 ? { skipped: summary.skipped } : {}),
  };
}

/** Thrown where a set has too few classes for images to be told apart. */
export class ClassCountError extends RangeError {
  /** Name shown in stack traces. */
  override name = "ClassCountError";
  /** Those it has. */
  readonly classes: readonly string[];

  /**
   * An error about a set's classes.
   *
   * @param set Name of the set.
   * @param classes Those it has.
   */
  constructor(set: string, classes: readonly string[]) {
    const current = classes.length === 0 ? "none" : `one, ${JSON.stringify(classes[0])}`;
    super(`Cannot evaluate ${set} as its images must be of two classes or more: it has ${current}`);
    this.classes = classes;
  }
}

/**
 * Checks that a set's classes can be told apart: with one alone every image is right.
 *
 * @throws {ClassCountError} If there are fewer than two.
 */
export function checkClasses({ name, classes }: Pick<Dataset, "name" | "classes">): void {
  if (classes.length < 2) throw new ClassCountError(name, classes);
}

/** The targets of a classified set: a class index a case, or a 0/1 row a case when multi-label. */
export function datasetTargets(dataset: Dataset): number[] {
  return dataset.cases.flatMap((item) => {
    const target = dataset.task === "multilabel" ? item.targets : item.target;
    if (target === undefined) {
      throw new TypeError(`Cannot evaluate case "${item.id}" of ${dataset.name} as it must have a class: it has none`);
    }
    return target;
  });
}
