/** What a threshold makes of a score: sensitivity, specificity and their kin, and how to choose it. @module */
import { checkScores, checkTargets } from "./_check.ts";
import { rocCurve } from "./roc_curve.ts";

/** Figures of one class at one threshold; a share of nothing is null. */
export interface OperatingPoint {
  /** A case is called positive at or above it. */
  threshold: number;
  /** Positives called positive. */
  truePositives: number;
  /** Negatives called positive. */
  falsePositives: number;
  /** Negatives called negative. */
  trueNegatives: number;
  /** Positives called negative. */
  falseNegatives: number;
  /** Share of the positives that are called (recall). */
  sensitivity: number | null;
  /** Share of the negatives that are not. */
  specificity: number | null;
  /** Positive predictive value (precision): share of the called that are positive. */
  ppv: number | null;
  /** Negative predictive value: share of the others that are negative. */
  npv: number | null;
  /** Harmonic mean of precision and recall. */
  f1: number | null;
  /** Mean of sensitivity and specificity. */
  balancedAccuracy: number | null;
  /** Share of the cases that are called right. */
  accuracy: number;
  /** Share of the cases that are positive: what the predictive values depend on. */
  prevalence: number;
}

/**
 * Figures of one score a case at a threshold.
 *
 * @param scores `n` scores of class 1.
 * @param targets `n` zeros and ones.
 * @param threshold A case is called positive at or above it.
 * @throws {TypeError} If the lengths differ.
 * @throws {RangeError} If a score is NaN, a target is not 0 or 1, or there is no case.
 */
export function operatingPoint(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  threshold: number,
): OperatingPoint {
  const n = targets.length;
  if (checkScores(scores, n, "an operating point") !== 1) {
    throw new TypeError(
      `Cannot compute an operating point as scores and targets must have one length: current lengths are ${scores.length} and ${n}`,
    );
  }
  checkTargets(targets, 2, "an operating point");
  const counts: [number, number, number, number] = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) counts[2 * targets[i]! + (scores[i]! >= threshold ? 1 : 0)]!++;
  const [trueNegatives, falsePositives, falseNegatives, truePositives] = counts;
  const share = (part: number, whole: number): number | null => whole === 0 ? null : part / whole;
  const sensitivity = share(truePositives, truePositives + falseNegatives);
  const specificity = share(trueNegatives, trueNegatives + falsePositives);
  return {
    threshold,
    truePositives,
    falsePositives,
    trueNegatives,
    falseNegatives,
    sensitivity,
    specificity,
    ppv: share(truePositives, truePositives + falsePositives),
    npv: share(trueNegatives, trueNegatives + falseNegatives),
    f1: share(2 * truePositives, 2 * truePositives + falsePositives + falseNegatives),
    balancedAccuracy: sensitivity === null || specificity === null ? null : (sensitivity + specificity) / 2,
    accuracy: (truePositives + trueNegatives) / n,
    prevalence: (truePositives + falseNegatives) / n,
  };
}

/** How a threshold is chosen: the largest sensitivity + specificity - 1 (Youden's J), or a least sensitivity or specificity. */
export type ThresholdRule = "youden" | { sensitivity: number } | { specificity: number };

/**
 * A threshold by rule, among the scores themselves: of several that serve, the one with the best of what the rule leaves
 * open. Choose it on cases apart from those it is judged on.
 *
 * @param scores `n` scores of class 1.
 * @param targets `n` zeros and ones, both among them.
 * @returns The threshold; +Infinity where only calling nothing reaches the specificity.
 * @throws {TypeError} If the lengths differ.
 * @throws {RangeError} If a score is NaN, all targets are equal, or the rule's share is not in [0, 1].
 */
export function chooseThreshold(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  rule: ThresholdRule,
): number {
  const curve = rocCurve(scores, targets, { simplify: false });
  const { thresholds, truePositiveRate: sensitivity, falsePositiveRate } = curve;
  if (rule === "youden") {
    let best = 0;
    for (let i = 1; i < thresholds.length; i++) {
      if (sensitivity[i]! - falsePositiveRate[i]! > sensitivity[best]! - falsePositiveRate[best]!) best = i;
    }
    return thresholds[best]!;
  }
  const [name, least] = "sensitivity" in rule
    ? ["sensitivity", rule.sensitivity] as const
    : ["specificity", rule.specificity] as const;
  if (!(least >= 0 && least <= 1)) {
    throw new RangeError(`Cannot choose a threshold as its ${name} must be from 0 to 1: current value is ${least}`);
  }
  if ("sensitivity" in rule) return thresholds[sensitivity.findIndex((share) => share >= least)]!;
  return thresholds[falsePositiveRate.findLastIndex((share) => 1 - share >= least)]!;
}
