/** Area under the ROC curve by ranks, equal scores counting one half; its intervals are those of bootstrap.ts, or of delong.ts without drawing. @module */
import { checkScores, checkTargets, classNames } from "./_check.ts";
import { checkOptions, needed, type Rules, TEXTS } from "../../platform/options.ts";

/** Options of {@linkcode macroAuroc} and {@linkcode multilabelAuroc}. */
export interface AurocOptions {
  /**
   * One name a column, for the report of skipped classes.
   * @default {["0", "1", ...]}
   */
  classes?: readonly string[];
}

/** What they must be. */
const AUROC_RULES: Rules<AurocOptions> = {
  classes: TEXTS,
};

/** A macro AUROC with its parts. */
export interface AurocReport {
  /** Mean over the classes that have positives and negatives. */
  value: number;
  /** One a class; null where undefined. */
  perClass: (number | null)[];
  /** Names of the classes without positives or without negatives. */
  skipped: string[];
}

/** A statistic of a resample: the AUROC of the cases at `indices` (repeats count), NaN where undefined. */
export type AurocStatistic = (indices: ArrayLike<number>) => number;

/** One column ready to be counted many times: cases by falling score, with the ends of the groups of equal scores. */
interface Ranking {
  order: Uint32Array;
  /** `last[i] = 1` where the group of equal scores ends at position `i`. */
  last: Uint8Array;
  positive: Uint8Array;
}

function rank(scores: ArrayLike<number>, positive: Uint8Array, column: number, columns: number): Ranking {
  const n = positive.length;
  const values = Float64Array.from({ length: n }, (_, i) => scores[i * columns + column]!);
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) =>
    values[b]! > values[a]! ? 1 : values[b]! < values[a]! ? -1 : 0
  );
  const last = new Uint8Array(n);
  for (let i = 0; i < n; i++) last[i] = i + 1 === n || values[order[i]!] !== values[order[i + 1]!] ? 1 : 0;
  return { order, last, positive: Uint8Array.from(order, (i) => positive[i]!) };
}

/** AUROC of one column with `weights[i]` copies of case `i`; NaN without positives or without negatives. */
function weightedAuroc({ order, last, positive }: Ranking, weights: ArrayLike<number>): number {
  let above = 0, positives = 0, negatives = 0, groupPositive = 0, groupNegative = 0;
  for (let i = 0; i < order.length; i++) {
    const weight = weights[order[i]!]!;
    if (positive[i]) groupPositive += weight;
    else groupNegative += weight;
    if (last[i]) {
      above += groupNegative * (positives + groupPositive / 2);
      positives += groupPositive;
      negatives += groupNegative;
      groupPositive = groupNegative = 0;
    }
  }
  return above / (positives * negatives);
}

function rankings(
  scores: ArrayLike<number>,
  columns: number,
  n: number,
  isPositive: (row: number, column: number) => boolean,
): Ranking[] {
  return Array.from(
    { length: columns },
    (_, c) => rank(scores, Uint8Array.from({ length: n }, (_, i) => isPositive(i, c) ? 1 : 0), c, columns),
  );
}

function oneVersusRest(scores: ArrayLike<number>, targets: ArrayLike<number>): Ranking[] {
  const n = targets.length;
  const columns = checkScores(scores, n, "AUROC");
  checkTargets(targets, Math.max(columns, 2), "AUROC");
  return rankings(scores, columns, n, (i, c) => columns === 1 ? targets[i] === 1 : targets[i] === c);
}

function labelColumns(scores: ArrayLike<number>, targets: ArrayLike<number>, columns: number): Ranking[] {
  if (scores.length !== targets.length) {
    throw new TypeError(
      `Cannot compute AUROC as scores and targets must have one shape: current lengths are ${scores.length} and ${targets.length}`,
    );
  }
  checkTargets(targets, 2, "AUROC");
  const n = targets.length / columns;
  if (checkScores(scores, n, "AUROC") !== columns) {
    throw new TypeError(
      `Cannot compute AUROC as scores must have ${columns} columns: current length is ${scores.length}`,
    );
  }
  return rankings(scores, columns, n, (i, c) => targets[i * columns + c] === 1);
}

function report(columns: Ranking[], names: readonly string[]): AurocReport {
  const ones = new Uint8Array(columns[0]!.order.length).fill(1);
  const perClass = columns.map((column) => {
    const value = weightedAuroc(column, ones);
    return Number.isNaN(value) ? null : value;
  });
  const defined = perClass.filter((value) => value !== null);
  if (defined.length === 0) {
    throw new RangeError(
      `Cannot compute AUROC as at least one class must have positive and negative cases: current number of such classes is 0 of ${names.length}`,
    );
  }
  return {
    value: defined.reduce((a, b) => a + b, 0) / defined.length,
    perClass,
    skipped: names.filter((_, i) => perClass[i] === null),
  };
}

function statistic(columns: Ranking[], names: readonly string[]): AurocStatistic {
  const { perClass } = report(columns, names);
  const used = columns.filter((_, i) => perClass[i] !== null);
  const weights = new Uint32Array(columns[0]!.order.length);
  return (indices) => {
    weights.fill(0);
    for (let i = 0; i < indices.length; i++) weights[indices[i]!]!++;
    let sum = 0;
    for (const column of used) sum += weightedAuroc(column, weights);
    return sum / used.length;
  };
}

/**
 * AUROC of one score a case: the chance that a positive scores above a negative, equal scores counting one half
 * (Mann-Whitney). Equals scikit-learn's `roc_auc_score`.
 *
 * @param scores `n` scores of class 1.
 * @param targets `n` zeros and ones.
 * @returns The area, in `[0, 1]`.
 * @throws {TypeError} If the lengths differ.
 * @throws {RangeError} If a score is NaN, a target is not 0 or 1, or all targets are equal.
 */
export function binaryAuroc(scores: ArrayLike<number>, targets: ArrayLike<number>): number {
  if (scores.length !== targets.length) {
    throw new TypeError(
      `Cannot compute AUROC as scores and targets must have one length: current lengths are ${scores.length} and ${targets.length}`,
    );
  }
  const [column] = oneVersusRest(scores, targets);
  const value = weightedAuroc(column!, new Uint8Array(targets.length).fill(1));
  if (Number.isNaN(value)) {
    throw new RangeError(
      `Cannot compute AUROC as both classes must occur: current targets are all ${targets[0]}`,
    );
  }
  return value;
}

/**
 * Macro one-vs-rest AUROC of a multi-class set: the mean of each class's AUROC against the others. Equals scikit-learn's
 * `roc_auc_score(..., multi_class="ovr")`; a class without cases is skipped and named instead of refused.
 *
 * @param scores Row-major `[n, c]`.
 * @param targets `n` class indices.
 * @param options See {@linkcode AurocOptions}.
 * @returns The mean, its parts and the skipped classes.
 * @throws {TypeError} If the lengths do not fit.
 * @throws {RangeError} If a score is NaN, a target is no class, or all targets are equal.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function macroAuroc(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: AurocOptions = {},
): AurocReport {
  checkOptions("compute AUROC", options, AUROC_RULES);
  const columns = oneVersusRest(scores, targets);
  return report(columns, classNames(options.classes, columns.length, "AUROC"));
}

/** Options of {@linkcode multilabelAuroc}. */
export interface MultilabelAurocOptions {
  /** One name a column; their number is the number of columns. */
  classes: readonly string[];
}

/** What they must be. */
const MULTILABEL_RULES: Rules<MultilabelAurocOptions> = {
  classes: needed(TEXTS),
};

/**
 * Macro AUROC of a multi-label set: the mean over the classes that have positives and negatives.
 *
 * @param scores Row-major `[n, c]`.
 * @param targets Row-major `[n, c]` of zeros and ones.
 * @param options The class names, see {@linkcode MultilabelAurocOptions}.
 * @returns The mean, its parts and the skipped classes.
 * @throws {TypeError} If the shapes differ.
 * @throws {RangeError} If a score is NaN, a target is not 0 or 1, or no class has both.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function multilabelAuroc(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: MultilabelAurocOptions,
): AurocReport {
  checkOptions("compute AUROC", options, MULTILABEL_RULES);
  return report(labelColumns(scores, targets, options.classes.length), options.classes);
}

/**
 * {@linkcode macroAuroc} (or with one column {@linkcode binaryAuroc}) as a statistic of resamples: the scores are sorted
 * once, each call then counts in `O(n c)`. A resample that lost a class counts as undefined (NaN).
 *
 * @param scores Row-major `[n, c]`, `c = 1` for a binary set.
 * @param targets `n` class indices.
 * @returns A function of the drawn indices.
 * @throws {TypeError} If the lengths do not fit.
 * @throws {RangeError} If a score is NaN, a target is no class, or all targets are equal.
 */
export function aurocStatistic(scores: ArrayLike<number>, targets: ArrayLike<number>): AurocStatistic {
  const columns = oneVersusRest(scores, targets);
  return statistic(columns, classNames(undefined, columns.length, "AUROC"));
}

/**
 * {@linkcode multilabelAuroc} as a statistic of resamples, see {@linkcode aurocStatistic}.
 *
 * @param scores Row-major `[n, c]`.
 * @param targets Row-major `[n, c]` of zeros and ones.
 * @param options The class names, see {@linkcode MultilabelAurocOptions}.
 * @returns A function of the drawn indices.
 * @throws {TypeError} If the shapes differ.
 * @throws {RangeError} If a score is NaN, a target is not 0 or 1, or no class has both.
 */
export function multilabelAurocStatistic(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: MultilabelAurocOptions,
): AurocStatistic {
  return statistic(labelColumns(scores, targets, options.classes.length), options.classes);
}
