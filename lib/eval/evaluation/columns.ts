/** Each class against the others: one score and a 0 or 1 a case. @module */
import { aurocStatistic } from "../metrics/auroc.ts";
import { averagePrecisionStatistic } from "../metrics/precision_recall.ts";
import type { Predictions } from "./predictions.ts";

/** One class against the others. */
export interface ClassColumn {
  /** Its name. */
  name: string;
  /** Its score of each case. */
  scores: Float64Array;
  /** 1 where the case is of the class. */
  targets: Uint8Array;
}

/** A statistic of drawn cases; NaN where undefined. */
export type DrawStatistic = (indices: ArrayLike<number>) => number;

/** Every class against the others; of two classes that exclude each other the second alone. */
export function classColumns({ classes, task, ids, scores, targets }: Predictions): ClassColumn[] {
  const n = ids.length, width = scores.length / n;
  if (!Number.isInteger(width) || (width !== classes.length && !(width === 1 && classes.length === 2))) {
    throw new TypeError(
      `Cannot evaluate as each of ${n} cases must have a score for each of ${classes.length} classes: current number of scores is ${scores.length}`,
    );
  }
  const isPositive = (row: number, c: number): boolean =>
    task === "multilabel" ? targets[row * classes.length + c] === 1 : targets[row] === c;
  const column = (c: number): ClassColumn => ({
    name: classes[c]!,
    scores: Float64Array.from({ length: n }, (_, row) => scores[row * width + (width === 1 ? 0 : c)]!),
    targets: Uint8Array.from({ length: n }, (_, row) => isPositive(row, c) ? 1 : 0),
  });
  return task === "multiclass" && classes.length === 2 ? [column(1)] : classes.map((_, c) => column(c));
}

/** Whether a column holds the class and others. */
export function isTold({ targets }: ClassColumn): boolean {
  return targets.includes(0) && targets.includes(1);
}

const undefinedStatistic: DrawStatistic = () => NaN;

/** AUROC of a column's drawn cases. */
export function columnAuroc(column: ClassColumn): DrawStatistic {
  return isTold(column) ? aurocStatistic(column.scores, column.targets) : undefinedStatistic;
}

/** Average precision of a column's drawn cases. */
export function columnAuprc(column: ClassColumn): DrawStatistic {
  return column.targets.includes(1) ? averagePrecisionStatistic(column.scores, column.targets) : undefinedStatistic;
}

/** Mean of statistics over those that are defined on all cases; NaN on a draw that loses one of them. */
export function meanStatistic(statistics: readonly DrawStatistic[], n: number): DrawStatistic {
  const all = Uint32Array.from({ length: n }, (_, i) => i);
  const used = statistics.filter((statistic) => !Number.isNaN(statistic(all)));
  return (indices) => used.length === 0 ? NaN : used.reduce((sum, of) => sum + of(indices), 0) / used.length;
}

/** 1 for each right answer; multi-label: the share of its labels that are right, called at 0.5. */
export function rightAnswers({ classes, task, ids, scores, targets }: Predictions): Float64Array {
  const n = ids.length, width = scores.length / n;
  return Float64Array.from({ length: n }, (_, row) => {
    if (task === "multilabel") {
      const right = classes.filter((_, c) => (scores[row * width + c]! >= 0.5 ? 1 : 0) === targets[row * width + c]);
      return right.length / classes.length;
    }
    return answerOf(scores, row, width) === targets[row] ? 1 : 0;
  });
}

/** The class of the highest score, of equal ones the first; with one score the second class from 0.5 on. */
export function answerOf(scores: ArrayLike<number>, row: number, width: number): number {
  if (width === 1) return scores[row]! >= 0.5 ? 1 : 0;
  let best = 0;
  for (let c = 1; c < width; c++) if (scores[row * width + c]! > scores[row * width + best]!) best = c;
  return best;
}

/** Mean of values over drawn cases; NaN without any. */
export function meanOf(values: ArrayLike<number>): DrawStatistic {
  return (indices) => {
    let sum = 0;
    for (let i = 0; i < indices.length; i++) sum += values[indices[i]!]!;
    return indices.length === 0 ? NaN : sum / indices.length;
  };
}
