/** The cases that a model answers worst. @module */
import { answerOf, classColumns } from "./columns.ts";
import type { Predictions } from "./predictions.ts";
import { countWhile } from "../metrics/_sorted.ts";

/** One of the cases answered worst. */
export interface HardCase {
  /** Its row. */
  row: number;
  /** From 0, answered as well as any, to 1. */
  difficulty: number;
  /** Its class or classes. */
  truth: string;
  /** What was answered: the class of the highest score, or the classes from 0.5 on. */
  answer: string;
}

/**
 * Cases by falling difficulty: the share of the cases of the other kind that outrank it, by the score of its class; of
 * multi-label cases the mean over all labels, those absent among them. Equal ranks count one half.
 *
 * @param most How many.
 */
export function hardestCases(predictions: Predictions, most: number): HardCase[] {
  const { classes, task, ids, scores, targets } = predictions;
  const width = scores.length / ids.length;
  const columns = classColumns(predictions);
  const ranks = columns.map(({ scores, targets }) => {
    const sides = [0, 1].map((side) => scores.filter((_, i) => targets[i] === side).sort());
    return Float64Array.from(scores, (score, i) => {
      const others = sides[1 - targets[i]!]!;
      if (others.length === 0) return 0;
      const below = countWhile(others, (value) => value < score), upTo = countWhile(others, (value) => value <= score);
      const beaten = (below + upTo) / 2 / others.length;
      return targets[i] === 1 ? 1 - beaten : beaten;
    });
  });
  const difficulty = (row: number): number => {
    if (task === "multilabel") return ranks.reduce((sum, rank) => sum + rank[row]!, 0) / ranks.length;
    return ranks[columns.length === 1 ? 0 : targets[row]!]![row]!;
  };
  const labels = (has: (c: number) => boolean): string => classes.filter((_, c) => has(c)).join(", ") || "none";
  return ids.map((_, row): HardCase => ({
    row,
    difficulty: difficulty(row),
    truth: task === "multilabel" ? labels((c) => targets[row * width + c] === 1) : classes[targets[row]!]!,
    answer: task === "multilabel"
      ? labels((c) => scores[row * width + c]! >= 0.5)
      : classes[answerOf(scores, row, width)]!,
  })).sort((a, b) => b.difficulty - a.difficulty || a.row - b.row).slice(0, most);
}
