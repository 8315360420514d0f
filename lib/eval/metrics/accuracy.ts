/** Predicted classes and their accuracy. @module */
import { checkScores, checkTargets } from "./_check.ts";
import { checkOptions, NUMBER, type Rules } from "../../platform/options.ts";

/** Options of {@linkcode accuracy}. */
export interface AccuracyOptions {
  /**
   * For one score a case: at or above it the prediction is 1.
   * @default {0.5}
   */
  threshold?: number;
}

/** What they must be. */
const ACCURACY_RULES: Rules<AccuracyOptions> = {
  threshold: NUMBER,
};

/**
 * The column with the highest score in each row; of equal scores the first, as NumPy's argmax.
 *
 * @param scores Row-major `[n, c]` with `c >= 2`.
 * @param n Number of rows.
 * @returns `n` column indices.
 * @throws {TypeError} If `scores` is not `[n, c]` with `c >= 2`.
 * @throws {RangeError} If a score is NaN or `n` is 0.
 */
export function predictedClasses(scores: ArrayLike<number>, n: number): Int32Array {
  const columns = checkScores(scores, n, "predicted classes");
  if (columns < 2) {
    throw new TypeError(
      `Cannot compute predicted classes as there must be at least two columns: current number is ${columns}`,
    );
  }
  const out = new Int32Array(n);
  for (let row = 0; row < n; row++) {
    let best = 0;
    for (let c = 1; c < columns; c++) {
      if (scores[row * columns + c]! > scores[row * columns + best]!) best = c;
    }
    out[row] = best;
  }
  return out;
}

/**
 * Whether each case is predicted right: 1 or 0. Its mean is the accuracy; it is what a bootstrap resamples.
 *
 * @param scores Row-major `[n, c]`; with `c = 1` the score of class 1.
 * @param targets `n` class indices (0 or 1 when `c = 1`).
 * @param options See {@linkcode AccuracyOptions}.
 * @returns `n` zeros and ones.
 * @throws {TypeError} If the lengths do not fit.
 * @throws {RangeError} If a score is NaN, a target is no class, or there is no case.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function correctCases(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: AccuracyOptions = {},
): Uint8Array {
  checkOptions("compute accuracy", options, ACCURACY_RULES);
  const { threshold = 0.5 } = options;
  const n = targets.length;
  const columns = checkScores(scores, n, "accuracy");
  checkTargets(targets, Math.max(columns, 2), "accuracy");
  const predicted = columns === 1
    ? Int32Array.from({ length: n }, (_, i) => scores[i]! >= threshold ? 1 : 0)
    : predictedClasses(scores, n);
  return Uint8Array.from(predicted, (p, i) => p === targets[i] ? 1 : 0);
}

/**
 * Share of cases whose predicted class is the target, in `[0, 1]`.
 *
 * @param scores Row-major `[n, c]`; with `c = 1` the score of class 1.
 * @param targets `n` class indices (0 or 1 when `c = 1`).
 * @param options See {@linkcode AccuracyOptions}.
 * @returns The accuracy.
 * @throws {TypeError} If the lengths do not fit.
 * @throws {RangeError} If a score is NaN, a target is no class, or there is no case.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function accuracy(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: AccuracyOptions = {},
): number {
  checkOptions("compute accuracy", options, ACCURACY_RULES);
  const correct = correctCases(scores, targets, options);
  let sum = 0;
  for (const value of correct) sum += value;
  return sum / correct.length;
}

/**
 * Share of labels that are right over all cases and classes of a multi-label set: `score >= threshold` against 0/1.
 *
 * @param scores Row-major `[n, c]`.
 * @param targets Row-major `[n, c]` of 0 and 1.
 * @param options See {@linkcode AccuracyOptions}.
 * @returns The accuracy, in `[0, 1]`.
 * @throws {TypeError} If the lengths differ.
 * @throws {RangeError} If a score is NaN or a target is not 0 or 1.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function multilabelAccuracy(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: AccuracyOptions = {},
): number {
  checkOptions("compute accuracy", options, ACCURACY_RULES);
  if (scores.length !== targets.length) {
    throw new TypeError(
      `Cannot compute accuracy as scores and targets must have one length: current lengths are ${scores.length} and ${targets.length}`,
    );
  }
  return accuracy(scores, targets, options);
}
