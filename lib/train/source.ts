/** Where batches come from. @module */
import * as tf from "@tensorflow/tfjs";
import { falseNegativeMask, type Label } from "../losses/label_mask.ts";
import {
  CALL,
  checkRecord,
  checkValue,
  COUNT,
  hasField,
  needed,
  type Rule,
  type Rules,
  WHOLE,
} from "../platform/options.ts";
import type { Batch } from "./batch.ts";
import { type Padding, trimPads } from "./padding.ts";

/** Image-text pairs by index. Texts and labels are small and are read for a whole batch, images for a micro-batch. */
export interface BatchSource {
  /** Number of samples. */
  size: number;
  /** Image side S, pixels. */
  imageSize: number;
  /** Tokens a text, N. */
  contextLength: number;
  /** Reads token ids, row-major `[n, N]`, pads 0; or targets, for the loss `supervised`. */
  ids(indices: readonly number[]): Promise<Int32Array>;
  /** Reads normalised images, row-major `[n, S, S, 3]`: in micro-batches up to twice a step, the same numbers both times. */
  pixels(indices: readonly number[]): Promise<Float32Array>;
  /** Begins to read the images of these samples, which are asked for next, in this order; a hint. @default {they are read when asked for} */
  prefetch?(indices: readonly number[]): void;
  /** Reads label rows, which the label-guided loss needs. @default {the samples have none} */
  labels?(indices: readonly number[]): Promise<readonly (readonly Label[])[]>;
}

/** What a source must be. */
const SOURCE: Rule = {
  must: "pairs in batches, as pairSource() gives them",
  type: "object",
  allows: (source) => hasField(source, "pixels"),
};
const SOURCE_RULES: Rules<BatchSource> = {
  size: needed(WHOLE),
  imageSize: needed(COUNT),
  contextLength: needed(COUNT),
  ids: needed(CALL),
  pixels: needed(CALL),
  prefetch: CALL,
  labels: CALL,
};

/** Refuses what is no source of batches. */
export function checkSource(action: string, source: BatchSource): void {
  checkValue(action, "the pairs", source, SOURCE);
  checkRecord(action, "the pairs", source, SOURCE_RULES);
}

/** What is learned from: pairs, pairs but those of identical labels, or targets that stand in the place of token ids. */
export type TrainingLoss = "label-guided" | "info-nce" | "supervised";

/** The losses there are. */
export const TRAINING_LOSSES: readonly TrainingLoss[] = ["label-guided", "info-nce", "supervised"];

/** Options of {@linkcode openBatch}. */
export interface OpenBatchOptions {
  /** Which pairs take part: `label-guided` leaves out those of identical label rows. */
  loss: TrainingLoss;
  /** Length of the texts; `longest` is that of the whole batch's longest, whichever samples are read together. */
  padding: Padding;
}

/**
 * The batch of these samples: texts and labels are read at once, images by its `read`, which keeps none.
 *
 * @returns A batch whose `pairMask`, where there is one, the caller disposes.
 * @throws {TypeError} If the loss is label-guided and the source has no labels.
 */
export async function openBatch(
  source: BatchSource,
  indices: readonly number[],
  options: OpenBatchOptions,
): Promise<Batch> {
  const { imageSize: side, contextLength } = source;
  const all = await source.ids(indices);
  const { ids, length } = options.padding === "longest"
    ? trimPads(all, contextLength)
    : { ids: all, length: contextLength };
  const labels = options.loss === "label-guided" ? await labelsOf(source, indices) : undefined;
  const size = indices.length;
  return {
    size,
    async read(start, count) {
      const pixels = await source.pixels(indices.slice(start, start + count));
      return {
        pixels: tf.tensor4d(pixels, [count, side, side, 3]),
        ids: tf.tensor2d(ids.subarray(start * length, (start + count) * length), [count, length], "int32"),
      };
    },
    ...(labels ? { pairMask: tf.tensor2d(falseNegativeMask(labels), [size, size]) } : {}),
  };
}

function labelsOf(source: BatchSource, indices: readonly number[]): Promise<readonly (readonly Label[])[]> {
  if (source.labels) return source.labels(indices);
  throw new TypeError(
    "Cannot compute the label-guided loss as every sample must have a label row: current source has none",
  );
}
