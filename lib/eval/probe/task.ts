/** What a few-shot method is given and gives back. @module */
import { predictedClasses } from "../metrics/accuracy.ts";
import type { LabelledFeatures } from "./neighbours.ts";

/** A question with few labels, as features. */
export interface ProbeTask {
  /** The shots. */
  train: LabelledFeatures;
  /** Cases that choose settings. */
  validation: LabelledFeatures;
  /** Unit rows of the cases asked about, row-major `[m, E]`. */
  queries: ArrayLike<number>;
  /** Unit rows of the classes' prompts, row-major `[C, E]`. */
  classFeatures: ArrayLike<number>;
  /** Scale of the zero-shot logits. */
  scale: number;
  /** Seed of what a method draws. */
  seed: number;
}

/** Scores, and the settings that the validation cases chose. */
export interface ProbeAnswer {
  /** Row-major `[m, C]`. */
  scores: Float64Array;
  /** By name. @default {none} */
  chosen?: Record<string, number>;
}

/** Share of right answers. */
export function shareRight(scores: ArrayLike<number>, targets: ArrayLike<number>): number {
  const predicted = predictedClasses(scores, targets.length);
  return predicted.filter((value, i) => value === targets[i]).length / targets.length;
}
