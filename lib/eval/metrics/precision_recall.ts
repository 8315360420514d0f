/** Precision against recall, and the area under it. @module */
import { checkScores, checkTargets } from "./_check.ts";

/** A precision-recall curve: at each threshold, from the highest, what is called positive at or above it. */
export interface PrecisionRecallCurve {
  /** Falling. */
  thresholds: number[];
  /** Share of the called that are positive. */
  precision: number[];
  /** Share of the positives that are called. */
  recall: number[];
}

/**
 * Precision and recall of one score a case at each of its values.
 *
 * @param scores `n` scores of class 1.
 * @param targets `n` zeros and ones, a one among them.
 * @throws {TypeError} If the lengths differ.
 * @throws {RangeError} If a score is NaN, a target is not 0 or 1, or there is no positive case.
 */
export function precisionRecallCurve(scores: ArrayLike<number>, targets: ArrayLike<number>): PrecisionRecallCurve {
  const n = targets.length;
  if (checkScores(scores, n, "a precision-recall curve") !== 1) {
    throw new TypeError(
      `Cannot compute a precision-recall curve as scores and targets must have one length: current lengths are ${scores.length} and ${n}`,
    );
  }
  checkTargets(targets, 2, "a precision-recall curve");
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const positives = Array.from(targets).filter((target) => target === 1).length;
  if (positives === 0) {
    throw new RangeError("Cannot compute a precision-recall curve as there must be a positive case: there is none");
  }
  const curve: PrecisionRecallCurve = { thresholds: [], precision: [], recall: [] };
  let hits = 0;
  for (let i = 0; i < n; i++) {
    hits += targets[order[i]!]!;
    const score = scores[order[i]!]!;
    if (i + 1 < n && scores[order[i + 1]!] === score) continue;
    curve.thresholds.push(score);
    curve.precision.push(hits / (i + 1));
    curve.recall.push(hits / positives);
  }
  return curve;
}

/**
 * Average precision, `Σ (R_k - R_(k-1)) P_k` over falling thresholds: the AUPRC without interpolation, as scikit-learn's
 * `average_precision_score`. A score that knows nothing gets the prevalence.
 *
 * @param scores `n` scores of class 1.
 * @param targets `n` zeros and ones, a one among them.
 * @returns In (0, 1].
 * @throws {TypeError} If the lengths differ.
 * @throws {RangeError} If a score is NaN, a target is not 0 or 1, or there is no positive case.
 */
export function averagePrecision(scores: ArrayLike<number>, targets: ArrayLike<number>): number {
  const { precision, recall } = precisionRecallCurve(scores, targets);
  return precision.reduce((sum, value, k) => sum + (recall[k]! - (recall[k - 1] ?? 0)) * value, 0);
}

/**
 * {@linkcode averagePrecision} as a statistic of resamples: the scores are sorted once, each call then counts in `O(n)`. A
 * resample without a positive case counts as undefined (NaN).
 *
 * @param scores `n` scores of class 1.
 * @param targets `n` zeros and ones, a one among them.
 * @returns A function of the drawn indices.
 * @throws {TypeError} If the lengths differ.
 * @throws {RangeError} If a score is NaN, a target is not 0 or 1, or there is no positive case.
 */
export function averagePrecisionStatistic(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
): (indices: ArrayLike<number>) => number {
  precisionRecallCurve(scores, targets); // checks them
  const n = targets.length;
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const weights = new Uint32Array(n);
  return (indices) => {
    weights.fill(0);
    for (let i = 0; i < indices.length; i++) weights[indices[i]!]!++;
    let called = 0, hits = 0, counted = 0, sum = 0;
    for (let i = 0; i < n; i++) {
      const index = order[i]!;
      called += weights[index]!;
      if (targets[index] === 1) hits += weights[index]!;
      if (i + 1 < n && scores[order[i + 1]!] === scores[index]) continue;
      if (hits > counted) sum += (hits - counted) * hits / called;
      counted = hits;
    }
    return hits === 0 ? NaN : sum / hits;
  };
}
