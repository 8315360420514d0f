/** Counts of target against predicted class. @module */
import { checkTargets } from "./_check.ts";
import { checkOptions, COUNT, type Rules } from "../../platform/options.ts";

/** Options of {@linkcode confusionMatrix}. */
export interface ConfusionOptions {
  /**
   * Number of classes.
   * @default {the highest index that occurs, plus one}
   */
  classes?: number;
}

/** What they must be. */
const CONFUSION_RULES: Rules<ConfusionOptions> = {
  classes: COUNT,
};

/**
 * Confusion matrix: `out[t][p]` cases of class `t` were called `p`, as scikit-learn's `confusion_matrix`.
 *
 * @param predicted `n` class indices, as {@linkcode predictedClasses} gives.
 * @param targets `n` class indices.
 * @param options See {@linkcode ConfusionOptions}.
 * @returns One row a target class.
 * @throws {TypeError} If the lengths differ.
 * @throws {RangeError} If an index is no class.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function confusionMatrix(
  predicted: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: ConfusionOptions = {},
): number[][] {
  checkOptions("count a confusion matrix", options, CONFUSION_RULES);
  if (predicted.length !== targets.length) {
    throw new TypeError(
      `Cannot count a confusion matrix as predictions and targets must have one length: current lengths are ${predicted.length} and ${targets.length}`,
    );
  }
  let classes = options.classes ?? 0;
  if (options.classes === undefined) {
    for (let i = 0; i < targets.length; i++) classes = Math.max(classes, predicted[i]! + 1, targets[i]! + 1);
  }
  checkTargets(predicted, classes, "a confusion matrix");
  checkTargets(targets, classes, "a confusion matrix");
  const out = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < targets.length; i++) out[targets[i]!]![predicted[i]!]!++;
  return out;
}
