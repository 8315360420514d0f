/** Accuracy and AUROC of one evaluation with their bootstrap intervals: the numbers a table prints. @module */
import { correctCases, multilabelAccuracy } from "./accuracy.ts";
import { aurocStatistic, binaryAuroc, macroAuroc, multilabelAuroc, multilabelAurocStatistic } from "./auroc.ts";
import { BOOTSTRAP_RULES, bootstrapInterval, type BootstrapOptions } from "./bootstrap.ts";
import { checkScores } from "./_check.ts";
import { checkOptions, needed, oneOf, type Rules, TEXTS } from "../../platform/options.ts";

/** Options of {@linkcode summariseScores}. */
export interface SummaryOptions extends BootstrapOptions {
  /** One name a column, or the two names of a binary set with one column. */
  classes: readonly string[];
  /**
   * `"multilabel"`: targets are `[n, c]` zeros and ones; `"multiclass"`: one class index a case.
   * @default {"multiclass"}
   */
  task?: "multiclass" | "multilabel";
}

/** What they must be. */
const SUMMARY_RULES: Rules<SummaryOptions> = {
  ...BOOTSTRAP_RULES,
  classes: needed(TEXTS),
  task: oneOf(["multiclass", "multilabel"]),
};

/** What {@linkcode summariseScores} returns; shares in `[0, 1]`, intervals `[low, high]`. */
export interface ScoreSummary {
  /** Number of cases. */
  n: number;
  /** Share of right predictions. */
  accuracy: number;
  /** Its interval. */
  accuracyInterval: [number, number];
  /** Binary, macro one-vs-rest or macro multi-label AUROC; null when no class has both positives and negatives. */
  auroc: number | null;
  /** Its interval, null with it. */
  aurocInterval: [number, number] | null;
  /** AUROC of each class, null where undefined. */
  perClass: (number | null)[];
  /** Names of the classes left out of the AUROC. */
  skipped: string[];
  /** Resamples left out of the AUROC's interval. */
  resamplesSkipped: number;
}

/**
 * Accuracy and AUROC with percentile bootstrap intervals. With two columns and class indices the AUROC is that of
 * column 1, the binary one.
 *
 * @param scores Row-major `[n, c]`, `c = 1` for a binary set.
 * @param targets `n` class indices, or `[n, c]` zeros and ones when `task` is `"multilabel"`.
 * @param options See {@linkcode SummaryOptions}.
 * @returns The figures.
 * @throws {TypeError} If the lengths do not fit.
 * @throws {RangeError} If a score is NaN or a target is no class.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function summariseScores(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: SummaryOptions,
): ScoreSummary {
  checkOptions("summarise scores", options, SUMMARY_RULES);
  return options.task === "multilabel"
    ? summariseMultilabel(scores, targets, options)
    : summariseMulticlass(scores, targets, options);
}

function summariseMulticlass(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: SummaryOptions,
): ScoreSummary {
  const { classes, task: _, ...drawing } = options;
  const n = targets.length;
  const columns = checkScores(scores, n, "a summary");
  const correct = correctCases(scores, targets);
  const right = bootstrapInterval(n, meanOf(correct), drawing);
  const accuracyInterval: [number, number] = [right.low, right.high];
  const base = { n, accuracy: right.value, accuracyInterval };
  if (new Set(Array.from(targets)).size < 2) return { ...base, ...undefinedAuroc(classes) };
  if (columns <= 2) {
    const positive = columns === 1 ? scores : Float64Array.from({ length: n }, (_, i) => scores[2 * i + 1]!);
    const value = binaryAuroc(positive, targets);
    return {
      ...base,
      ...withInterval(value, [value], [], bootstrapInterval(n, aurocStatistic(positive, targets), drawing)),
    };
  }
  const { value, perClass, skipped } = macroAuroc(scores, targets, { classes });
  return {
    ...base,
    ...withInterval(value, perClass, skipped, bootstrapInterval(n, aurocStatistic(scores, targets), drawing)),
  };
}

function summariseMultilabel(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: SummaryOptions,
): ScoreSummary {
  const { classes, task: _, ...drawing } = options;
  const accuracy = multilabelAccuracy(scores, targets);
  const n = targets.length / classes.length;
  const rows = Float64Array.from({ length: n }, (_, i) => {
    let right = 0;
    for (let c = i * classes.length; c < (i + 1) * classes.length; c++) {
      if ((scores[c]! >= 0.5 ? 1 : 0) === targets[c]) right++;
    }
    return right / classes.length;
  });
  const interval = bootstrapInterval(n, meanOf(rows), drawing);
  const accuracyInterval: [number, number] = [interval.low, interval.high];
  const base = { n, accuracy, accuracyInterval };
  const usable = classes.some((_, c) => {
    const column = Array.from({ length: n }, (_, i) => targets[i * classes.length + c]);
    return column.includes(0) && column.includes(1);
  });
  if (!usable) return { ...base, ...undefinedAuroc(classes) };
  const { value, perClass, skipped } = multilabelAuroc(scores, targets, { classes });
  const aurocInterval = bootstrapInterval(n, multilabelAurocStatistic(scores, targets, { classes }), drawing);
  return { ...base, ...withInterval(value, perClass, skipped, aurocInterval) };
}

type AurocPart = Pick<ScoreSummary, "auroc" | "aurocInterval" | "perClass" | "skipped" | "resamplesSkipped">;

function withInterval(
  auroc: number,
  perClass: (number | null)[],
  skipped: string[],
  interval: { low: number; high: number; skipped: number },
): AurocPart {
  return { auroc, aurocInterval: [interval.low, interval.high], perClass, skipped, resamplesSkipped: interval.skipped };
}

function undefinedAuroc(classes: readonly string[]): AurocPart {
  return {
    auroc: null,
    aurocInterval: null,
    perClass: classes.map(() => null),
    skipped: [...classes],
    resamplesSkipped: 0,
  };
}

function meanOf(values: ArrayLike<number>): (indices: ArrayLike<number>) => number {
  return (indices) => {
    let sum = 0;
    for (let i = 0; i < indices.length; i++) sum += values[indices[i]!]!;
    return sum / indices.length;
  };
}
