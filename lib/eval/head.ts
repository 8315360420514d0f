/** Answers of a head that was trained on labels. @module */
import { type AceLoraConfig, aceLoraModel, type AceLoraParams } from "../ace_lora.ts";
import * as tf from "@tensorflow/tfjs";
import { encodeImages, type EncodeImagesOptions, type ImageSource } from "../clip/zero_shot/scores.ts";
import type { ImageReader } from "../data/pixels/reader.ts";
import { imageSource } from "../data/sources.ts";
import { labelTargets } from "../data/targets.ts";
import type { Dataset } from "../data/types.ts";
import { headLogits } from "../supervised.ts";
import { disposeParams } from "../tensor/params.ts";
import { binaryAuroc } from "./metrics/auroc.ts";
import type { Measure } from "./validation.ts";
import { CALL, checkOptions, COUNT, FLAG, needed, RECORD, type Rules, TEXTS } from "../platform/options.ts";

/** The error for a question about classes that a head was not trained on. */
export class HeadClassError extends RangeError {
  /** Name shown in stack traces. */
  override name = "HeadClassError";
  /** The class asked for. */
  readonly missing: string;
  /** Those of the head. */
  readonly classes: readonly string[];

  /**
   * An error about a class.
   *
   * @param missing The class asked for.
   * @param classes Those of the head.
   */
  constructor(missing: string, classes: readonly string[]) {
    super(`Cannot answer by the head as "${missing}" must be among its classes: they are ${classes.join(", ")}`);
    this.missing = missing;
    this.classes = classes;
  }
}

/** Classes are the same whatever their case and their underscores: `Pleural_Thickening`, `pleural thickening`. */
function plain(name: string): string {
  return name.replaceAll("_", " ").toLowerCase();
}

type HeadScoresOptions = EncodeImagesOptions & { classes: readonly string[]; isExclusive?: boolean };

/** What they must be. */
const HEAD_SCORES_RULES: Rules<HeadScoresOptions> = {
  classes: needed(TEXTS),
  isExclusive: FLAG,
  batchSize: COUNT,
  onBatch: CALL,
};

/**
 * Probabilities of classes by the head, each label's own; where an image has one class (`isExclusive`) they are scaled to the sum 1.
 *
 * @param params A tree with a head; borrowed.
 * @param classes Those asked for, of the head's.
 * @returns Row-major `[n, C]`.
 * @throws {HeadClassError} If the head has no such class.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function headScores(
  params: AceLoraParams,
  images: ImageSource,
  config: AceLoraConfig,
  options: EncodeImagesOptions & { classes: readonly string[]; isExclusive?: boolean },
): Promise<Float32Array> {
  checkOptions("answer by the head", options, HEAD_SCORES_RULES);
  const { classes, isExclusive = false, ...encoding } = options;
  const own = config.classes!.map(plain);
  const columns = classes.map((name) => {
    const column = own.indexOf(plain(name));
    if (column < 0) throw new HeadClassError(name, config.classes!);
    return column;
  });
  const model = aceLoraModel(config);
  const merged = model.forEvaluation(params);
  try {
    const features = await encodeImages(model, merged, images, encoding);
    const width = features.length / images.size;
    const probabilities = tf.tidy(() =>
      tf.sigmoid(headLogits(params.head!, tf.tensor2d(features, [images.size, width])))
    );
    const all = await probabilities.data();
    probabilities.dispose();
    return Float32Array.from({ length: images.size * columns.length }, (_, i) => {
      const row = all.subarray(own.length * Math.floor(i / columns.length)).subarray(0, own.length);
      const sum = isExclusive ? columns.reduce((sum, column) => sum + row[column]!, 0) || 1 : 1;
      return row[columns[i % columns.length]!]! / sum;
    });
  } finally {
    disposeParams(merged, params);
  }
}

/** What they must be. */
const HEAD_VALIDATION_RULES: Rules<{ batchSize?: number; reader?: ImageReader }> = {
  batchSize: COUNT,
  reader: RECORD,
};

/**
 * Macro AUROC of the head over the labels of which a set has both kinds, unknown ones left out.
 *
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function headValidation(
  dataset: Dataset,
  config: AceLoraConfig,
  options: { batchSize?: number; reader?: ImageReader } = {},
): Measure<AceLoraParams> {
  checkOptions("validate", options, HEAD_VALIDATION_RULES);
  const { batchSize = 32, reader } = options;
  const { classes, rows } = labelTargets(dataset);
  const images = imageSource(dataset.cases, config.encoders, reader ? { reader } : {});
  return async (params, signal) => {
    const scores = await headScores(params, images, config, {
      classes,
      batchSize,
      onBatch: () => signal?.throwIfAborted(),
    });
    const areas = classes.flatMap((_, c) => {
      const known = rows.flatMap((row, i) => row[c]! >= 0 ? [i] : []);
      const targets = known.map((i) => rows[i]![c]!);
      if (new Set(targets).size < 2) return [];
      return binaryAuroc(known.map((i) => scores[i * classes.length + c]!), targets);
    });
    return { name: "auroc", value: areas.reduce((a, b) => a + b, 0) / areas.length };
  };
}
