/** Everything that is reported of predictions: figures, thresholds, calibration, subgroups, each with its intervals. @module */
import { type ClassFigures, type EvaluationRecord, THRESHOLD_FIGURES } from "../../display/evaluation.ts";
import { recordOf } from "../../platform/known_keys.ts";
import { confusionMatrix } from "../metrics/confusion.ts";
import { chooseThreshold, operatingPoint, type ThresholdRule } from "../metrics/operating_point.ts";
import { calibrate } from "./calibrate.ts";
import {
  answerOf,
  type ClassColumn,
  classColumns,
  columnAuprc,
  columnAuroc,
  type DrawStatistic,
  isTold,
  meanOf,
  meanStatistic,
  rightAnswers,
} from "./columns.ts";
import { delongEnds, type Drawing, estimates, UNDEFINED } from "./estimate.ts";
import { type Grouping, subgroupFigures } from "./subgroups.ts";
import { checkOptions, COUNT, FLAG, INTEGER, LIST, type Rules } from "../../platform/options.ts";
import { defined } from "../../platform/defined.ts";
import { predictionParts, type Predictions } from "./predictions.ts";

/** How predictions are judged. */
export interface EvaluateOptions {
  /** Rule of each class's threshold, or the threshold itself. @default {"youden"} */
  threshold?: ThresholdRule | number;
  /** Columns whose groups get figures of their own. @default {[]} */
  by?: readonly Grouping[];
  /** Resamples of every bootstrap. @default {1000} */
  resamples?: number;
  /** Seed of every bootstrap. @default {1} */
  seed?: number;
  /** Whether the scores may be read as probabilities at all. @default {what their range and sums say} */
  areProbabilities?: boolean;
}

/** What they must be. */
const EVALUATE_RULES: Rules<EvaluateOptions> = {
  threshold: { must: "youden, a record of a sensitivity or specificity, or a number" },
  by: LIST,
  resamples: COUNT,
  seed: INTEGER,
  areProbabilities: FLAG,
};

/**
 * Judges predictions. Thresholds and the temperature come from the cases of {@linkcode TUNING_PART}, and the others are judged;
 * without any of that part, thresholds are chosen on the cases judged (the record says so) and no temperature is fitted.
 *
 * @throws {RangeError} If no case is left to judge, a score is NaN, or a column to group by is missing.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function evaluatePredictions(all: Predictions, options: EvaluateOptions = {}): EvaluationRecord {
  checkOptions("evaluate", options, EVALUATE_RULES);
  const { threshold = "youden", by = [], resamples = 1000, seed = 1, areProbabilities = true } = options;
  checkPredictions(all, by);
  const { tuning, judged } = predictionParts(all);
  if (judged.ids.length === 0) {
    throw new RangeError("Cannot evaluate as a case must be left beside those to tune on: there is none");
  }
  const { ids, attributes, patients } = judged;
  const n = ids.length;
  const columns = classColumns(judged);
  const tuned = tuning.ids.length > 0 ? classColumns(tuning) : columns;
  const drawing: Drawing = { resamples, seed, ...defined({ patients }) };
  const choices = tuned.map((column) => chosenThreshold(column, threshold));
  const right = rightAnswers(judged);
  const [accuracy, auroc, auprc] = estimates(n, [
    meanOf(right),
    meanStatistic(columns.map(columnAuroc), n),
    meanStatistic(columns.filter(isTold).map(columnAuprc), n),
  ], drawing);
  const only = columns.length === 1 ? choices[0]!.threshold : undefined;
  return {
    task: judged.task,
    ...sizeOf(judged),
    resamples,
    threshold: {
      rule: ruleText(threshold),
      chosen_on: typeof threshold === "number" ? "given" : tuning.ids.length > 0 ? "tuning part" : "the cases judged",
    },
    tuning: tuning.ids.length === 0 ? null : sizeOf(tuning),
    accuracy,
    baseline: baselineOf(judged),
    auroc: { ...auroc, ...(columns.length === 1 ? { delong: delongEnds(columns[0]!) } : {}) },
    auprc,
    classes: Object.fromEntries(
      columns.map((column, c) => [column.name, classFigures(column, choices[c]!, drawing)]),
    ),
    calibration: areProbabilities ? calibrate(judged, tuning) : null,
    confusion: judged.task === "multilabel" ? null : confusionOf(judged),
    subgroups: subgroupFigures({ ids, attributes, columns, right, ...defined({ threshold: only }) }, by, drawing),
  };
}

function sizeOf({ ids, patients }: Predictions): { cases: number; patients: number | null } {
  return { cases: ids.length, patients: patients ? new Set(patients).size : null };
}

function checkPredictions({ classes, ids, scores, attributes }: Predictions, by: readonly Grouping[]): void {
  if (classes.length < 2) {
    throw new RangeError(
      `Cannot evaluate as there must be two classes or more: there ${
        classes.length === 0 ? "is none" : `is one, ${JSON.stringify(classes[0])}`
      }`,
    );
  }
  const width = scores.length / ids.length;
  for (let i = 0; i < scores.length; i++) {
    if (!Number.isFinite(scores[i]!)) {
      throw new RangeError(
        `Cannot evaluate as scores must be finite: that of ${JSON.stringify(ids[Math.floor(i / width)])} for ${
          JSON.stringify(classes[width === 1 ? 1 : i % width])
        } is ${scores[i]}`,
      );
    }
  }
  for (const { column } of by) {
    if (attributes[column] === undefined) {
      throw new RangeError(
        `Cannot group by ${JSON.stringify(column)} as it must be a column of the cases: they have ${
          Object.keys(attributes).join(", ") || "none"
        }`,
      );
    }
  }
}

/** The rule in words. */
function ruleText(rule: ThresholdRule | number): string {
  if (typeof rule === "number") return `at ${rule}`;
  if (rule === "youden") return "Youden's index";
  return "sensitivity" in rule
    ? `sensitivity of at least ${rule.sensitivity}`
    : `specificity of at least ${rule.specificity}`;
}

interface Choice {
  threshold?: number;
  note?: string;
}

function chosenThreshold(column: ClassColumn, rule: ThresholdRule | number): Choice {
  if (typeof rule === "number") return { threshold: rule };
  if (!isTold(column)) return { note: "all cases, or none, that it would be chosen on are of the class" };
  const threshold = chooseThreshold(column.scores, column.targets, rule);
  return Number.isFinite(threshold) ? { threshold } : { threshold, note: "only calling nothing serves the rule" };
}

function classFigures(column: ClassColumn, { threshold, note }: Choice, drawing: Drawing): ClassFigures {
  const { scores, targets } = column;
  const n = targets.length;
  const positives = targets.reduce((sum, target) => sum + target, 0);
  const auroc = columnAuroc(column), auprc = columnAuprc(column);
  const atThreshold = threshold === undefined ? [] : thresholdStatistics(column, threshold);
  const [area, precision, ...rest] = estimates(n, [auroc, auprc, ...atThreshold], drawing);
  const figures = recordOf(THRESHOLD_FIGURES.map((name, i) => [name, rest[i] ?? UNDEFINED] as const));
  const point = threshold === undefined ? undefined : operatingPoint(scores, targets, threshold);
  return {
    positives,
    negatives: n - positives,
    prevalence: positives / n,
    auroc: { ...area, delong: delongEnds(column) },
    auprc: precision,
    threshold: threshold !== undefined && Number.isFinite(threshold) ? threshold : null,
    ...(note === undefined ? {} : { threshold_note: note }),
    counts: point
      ? {
        true_positives: point.truePositives,
        false_positives: point.falsePositives,
        true_negatives: point.trueNegatives,
        false_negatives: point.falseNegatives,
      }
      : null,
    ...figures,
  };
}

/** {@linkcode THRESHOLD_FIGURES} of drawn cases. */
function thresholdStatistics({ scores, targets }: ClassColumn, threshold: number): DrawStatistic[] {
  const kind = Uint8Array.from(scores, (score, i) => 2 * targets[i]! + (score >= threshold ? 1 : 0));
  const count = (indices: ArrayLike<number>): [number, number, number, number] => {
    const counts: [number, number, number, number] = [0, 0, 0, 0];
    for (let i = 0; i < indices.length; i++) counts[kind[indices[i]!]!]!++;
    return counts;
  };
  const shares: ((tn: number, fp: number, fn: number, tp: number) => number)[] = [
    (_tn, _fp, fn, tp) => tp / (tp + fn),
    (tn, fp) => tn / (tn + fp),
    (_tn, fp, _fn, tp) => tp / (tp + fp),
    (tn, _fp, fn) => tn / (tn + fn),
    (_tn, fp, fn, tp) => 2 * tp / (2 * tp + fp + fn),
    (tn, fp, fn, tp) => (tp / (tp + fn) + tn / (tn + fp)) / 2,
  ];
  return shares.map((share) => (indices) => share(...count(indices)));
}

/** What an answer that looks at no image gets. */
function baselineOf({ classes, task, ids, targets }: Predictions): EvaluationRecord["baseline"] {
  if (task === "multilabel") {
    const present = targets.reduce((sum, target) => sum + target, 0);
    return { answer: "no label at all", accuracy: 1 - present / targets.length };
  }
  const counts = classes.map((_, c) => targets.filter((target) => target === c).length);
  const most = Math.max(...counts);
  return { answer: `always ${classes[counts.indexOf(most)]!}`, accuracy: most / ids.length };
}

function confusionOf({ classes, ids, scores, targets }: Predictions): number[][] {
  const width = scores.length / ids.length;
  return confusionMatrix(ids.map((_, row) => answerOf(scores, row, width)), targets, { classes: classes.length });
}
