/** The points of a ROC curve. @module */
import { checkScores, checkTargets } from "./_check.ts";
import { checkOptions, FLAG, type Rules } from "../../platform/options.ts";

/** A ROC curve from (0, 0) to (1, 1). */
export interface RocCurve {
  /** Falling from +Infinity; a case is called positive at or above its threshold. */
  thresholds: number[];
  /** 1 - specificity at each threshold. */
  falsePositiveRate: number[];
  /** Sensitivity at each threshold. */
  truePositiveRate: number[];
}

/** Options of {@linkcode rocCurve}. */
export interface RocCurveOptions {
  /**
   * Drop the points that lie on the straight line between their neighbours; the curve does not change.
   * @default {true}
   */
  simplify?: boolean;
}

/** What they must be. */
const ROC_RULES: Rules<RocCurveOptions> = {
  simplify: FLAG,
};

/**
 * ROC curve of one score a case; equals scikit-learn's `roc_curve` (`drop_intermediate` is `simplify`).
 *
 * @param scores `n` scores of class 1.
 * @param targets `n` zeros and ones.
 * @param options See {@linkcode RocCurveOptions}.
 * @returns The points.
 * @throws {TypeError} If the lengths differ.
 * @throws {RangeError} If a score is NaN, a target is not 0 or 1, or all targets are equal.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function rocCurve(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: RocCurveOptions = {},
): RocCurve {
  checkOptions("compute a ROC curve", options, ROC_RULES);
  const { simplify = true } = options;
  const n = targets.length;
  if (checkScores(scores, n, "a ROC curve") !== 1) {
    throw new TypeError(
      `Cannot compute a ROC curve as scores and targets must have one length: current lengths are ${scores.length} and ${n}`,
    );
  }
  checkTargets(targets, 2, "a ROC curve");
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) =>
    scores[b]! > scores[a]! ? 1 : scores[b]! < scores[a]! ? -1 : 0
  );
  const thresholds = [Infinity], falsePositives = [0], truePositives = [0];
  let fp = 0, tp = 0;
  for (let i = 0; i < n; i++) {
    const score = scores[order[i]!]!;
    if (targets[order[i]!] === 1) tp++;
    else fp++;
    if (i + 1 === n || scores[order[i + 1]!] !== score) {
      thresholds.push(score);
      falsePositives.push(fp);
      truePositives.push(tp);
    }
  }
  if (tp === 0 || fp === 0) {
    throw new RangeError(
      `Cannot compute a ROC curve as both classes must occur: current targets are all ${targets[0]}`,
    );
  }
  // A point is kept where the step before it differs from the step after it.
  const kept = thresholds.map((_, i) => i).filter((i) =>
    !simplify || i <= 1 || i === thresholds.length - 1 ||
    truePositives[i + 1]! - 2 * truePositives[i]! + truePositives[i - 1]! !== 0 ||
    falsePositives[i + 1]! - 2 * falsePositives[i]! + falsePositives[i - 1]! !== 0
  );
  return {
    thresholds: kept.map((i) => thresholds[i]!),
    falsePositiveRate: kept.map((i) => falsePositives[i]! / fp),
    truePositiveRate: kept.map((i) => truePositives[i]! / tp),
  };
}
