/** The labels of a set as rows to learn from and to judge by. @module */
import { DATASET } from "./dataset.ts";
import type { ClipConfig } from "../clip/config.ts";
import type { BatchSource } from "../train/source.ts";
import { imageSource, type ImageSourceOptions } from "./sources.ts";
import { CHEXPERT_LABELS, type Dataset } from "./types.ts";
import {
  AMOUNT,
  checkItems,
  checkOptions,
  checkRecord,
  checkValue,
  LISTS,
  needed,
  NUMBERS,
  RECORD,
  type Rules,
  TEXTS,
} from "../platform/options.ts";

/** Names of labels, and a row of them for each case: 1, 0, or -1 where it is not known. */
export interface LabelTargets {
  /** Names, C. */
  classes: readonly string[];
  /** Rows of length C. */
  rows: readonly (readonly number[])[];
}

/**
 * The classes of a classified set, or the 14 CheXpert labels of one that has those: blank is negative there, uncertain unknown.
 *
 * @throws {TypeError} If a case has neither.
 */
export function labelTargets(dataset: Pick<Dataset, "name" | "classes" | "cases">): LabelTargets {
  checkValue("learn from labels", "they", dataset, DATASET);
  const { name, classes, cases } = dataset;
  const isClassified = classes.length > 0;
  const rows = cases.map(({ id, target, targets, labels }) => {
    if (isClassified && targets) return targets;
    if (isClassified && target !== undefined) return classes.map((_, c) => Number(c === target));
    if (!isClassified && labels) return labels.map((value) => value ?? 0);
    throw new TypeError(`Cannot learn from case "${id}" of ${name} as it must have labels: it has none`);
  });
  return { classes: isClassified ? classes : CHEXPERT_LABELS, rows };
}

/** What they must be. */
const LABEL_RULES: Rules<LabelTargets> = { classes: needed(TEXTS), rows: needed(LISTS) };

/** Negatives over positives of each class, so that both weigh the same; 1 where there is none of either. */
export function balancedWeights(targets: LabelTargets): number[] {
  checkRecord("weigh labels", "targets", targets, LABEL_RULES);
  checkItems("weigh labels", "targets.rows", targets.rows, NUMBERS);
  const { classes, rows } = targets;
  return classes.map((_, c) => {
    const count = (value: number): number => rows.reduce((sum, row) => sum + Number(row[c] === value), 0);
    const [positives, negatives] = [count(1), count(0)];
    return positives > 0 && negatives > 0 ? negatives / positives : 1;
  });
}

/** Options of {@linkcode targetSource}. */
export interface TargetSourceOptions extends Pick<ImageSourceOptions, "keptBytes" | "reader"> {
  /** What {@linkcode labelTargets} gives for the set, where the caller has it. @default {it is made} */
  targets?: LabelTargets;
}

/** What they must be. */
const TARGET_RULES: Rules<TargetSourceOptions> = {
  keptBytes: AMOUNT,
  reader: RECORD,
  targets: RECORD,
};

/**
 * A set's images with their targets in the place of token ids, as `fit` reads them for the loss `supervised`.
 *
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function targetSource(
  dataset: Dataset,
  config: ClipConfig,
  options: TargetSourceOptions = {},
): BatchSource {
  checkOptions("learn from labels", options, TARGET_RULES);
  checkValue("learn from labels", "they", dataset, DATASET);
  const { targets: { classes, rows } = labelTargets(dataset), ...reading } = options;
  return {
    ...imageSource(dataset.cases, config, { ...reading, mode: "train" }),
    contextLength: classes.length,
    ids: (indices) => Promise.resolve(Int32Array.from(indices.flatMap((index) => rows[index]!))),
  };
}
