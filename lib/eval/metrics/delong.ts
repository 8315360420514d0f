/** DeLong's variance of an AUROC: an interval without resampling, and the test of two scores on the same cases. @module */
import { mapTuple } from "../../platform/map_tuple.ts";
import { checkScores, checkTargets } from "./_check.ts";
import { centralQuantile, twoSidedP } from "./_normal.ts";
import { countWhile } from "./_sorted.ts";
import { checkOptions, type Rules, SHARE } from "../../platform/options.ts";

/** An AUROC with DeLong's interval. */
export interface DelongInterval {
  /** The AUROC. */
  value: number;
  /** Its standard error. */
  standardError: number;
  /** Lower end, at least 0. */
  low: number;
  /** Upper end, at most 1. */
  high: number;
}

/** Two AUROCs of the same cases compared. */
export interface DelongTest {
  /** AUROC of the first scores minus that of the second. */
  difference: number;
  /** Its standard error; 0 where both order the cases alike. */
  standardError: number;
  /** Lower end of the difference's interval. */
  low: number;
  /** Upper end of the difference's interval. */
  high: number;
  /** Difference over standard error; 0 where both are 0. */
  z: number;
  /** Two-sided, of the normal distribution. */
  p: number;
}

/** Options of {@linkcode delongInterval} and {@linkcode delongTest}. */
export interface DelongOptions {
  /**
   * Coverage of the interval, in (0, 1).
   * @default {0.95}
   */
  level?: number;
}

/** What they must be. */
const DELONG_RULES: Rules<DelongOptions> = {
  level: SHARE,
};

/** What each case contributes: the share of the other class that it beats (or is beaten by), equal scores one half. */
interface Placements {
  auroc: number;
  /** One a positive. */
  positives: Float64Array;
  /** One a negative. */
  negatives: Float64Array;
}

/**
 * AUROC of one score a case with DeLong's interval, `A ± z s`.
 *
 * Source: DeLong, DeLong and Clarke-Pearson 1988; placements by mid-ranks as in Sun and Xu 2014.
 *
 * @param scores `n` scores of class 1.
 * @param targets `n` zeros and ones, two of each at least.
 * @throws {TypeError} If the lengths differ.
 * @throws {RangeError} If a score is NaN, a target is not 0 or 1, or a class has fewer than two cases.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function delongInterval(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: DelongOptions = {},
): DelongInterval {
  checkOptions("compute an interval", options, DELONG_RULES);
  const own = placements(scores, targets);
  const standardError = Math.sqrt(covariance(own, own));
  const reach = centralQuantile(options.level ?? 0.95) * standardError;
  return {
    value: own.auroc,
    standardError,
    low: Math.max(0, own.auroc - reach),
    high: Math.min(1, own.auroc + reach),
  };
}

/**
 * Whether two scores of the same cases have one AUROC.
 *
 * Source: as {@linkcode delongInterval}.
 *
 * @param scoresA `n` scores of class 1 by the first method.
 * @param scoresB `n` scores by the second.
 * @param targets `n` zeros and ones, two of each at least.
 * @throws {TypeError} If the lengths differ.
 * @throws {RangeError} If a score is NaN, a target is not 0 or 1, or a class has fewer than two cases.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function delongTest(
  scoresA: ArrayLike<number>,
  scoresB: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: DelongOptions = {},
): DelongTest {
  checkOptions("compute an interval", options, DELONG_RULES);
  const [a, b] = [placements(scoresA, targets), placements(scoresB, targets)];
  const difference = a.auroc - b.auroc;
  const variance = covariance(a, a) + covariance(b, b) - 2 * covariance(a, b);
  const standardError = Math.sqrt(Math.max(0, variance));
  const z = standardError === 0 ? 0 : difference / standardError;
  const reach = centralQuantile(options.level ?? 0.95) * standardError;
  return { difference, standardError, low: difference - reach, high: difference + reach, z, p: twoSidedP(z) };
}

function placements(scores: ArrayLike<number>, targets: ArrayLike<number>): Placements {
  const n = targets.length;
  if (checkScores(scores, n, "DeLong's variance") !== 1) {
    throw new TypeError(
      `Cannot compute DeLong's variance as scores and targets must have one length: current lengths are ${scores.length} and ${n}`,
    );
  }
  checkTargets(targets, 2, "DeLong's variance");
  const [negative, positive] = mapTuple(
    [0, 1],
    (value) =>
      Float64Array.from(Array.from(targets, (_, i) => i).filter((i) => targets[i] === value), (i) => scores[i]!),
  );
  if (positive.length < 2 || negative.length < 2) {
    throw new RangeError(
      `Cannot compute DeLong's variance as each class must have two cases: current numbers are ${negative.length} and ${positive.length}`,
    );
  }
  const [sortedNegative, sortedPositive] = [negative.toSorted(), positive.toSorted()];
  const positives = positive.map((score) => shareBelow(sortedNegative, score));
  const negatives = negative.map((score) => 1 - shareBelow(sortedPositive, score));
  return { auroc: mean(positives), positives, negatives };
}

/** The share of sorted values below `score`, equal ones counting one half. */
function shareBelow(sorted: Float64Array, score: number): number {
  return (countWhile(sorted, (value) => value < score) + countWhile(sorted, (value) => value <= score)) / 2 /
    sorted.length;
}

/** Covariance of two AUROCs of the same cases. */
function covariance(a: Placements, b: Placements): number {
  const part = (x: Float64Array, y: Float64Array): number => {
    const [mx, my] = [mean(x), mean(y)];
    return x.reduce((sum, value, i) => sum + (value - mx) * (y[i]! - my), 0) / (x.length - 1) / x.length;
  };
  return part(a.positives, b.positives) + part(a.negatives, b.negatives);
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
