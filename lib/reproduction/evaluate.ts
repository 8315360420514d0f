/** Figures of a run on its sets, from class probabilities. @module */
import type { Dataset } from "../data/types.ts";
import { summariseScores } from "../eval/metrics/summary.ts";
import { datasetTargets } from "../eval/assess.ts";
import { packScores, packTargets } from "./scores.ts";
import { type ReproduceContext, setsOf } from "./context.ts";
import type { PlannedRun } from "./plan.ts";
import type { SetFigures } from "./record.ts";

/**
 * Figures of every set of a run.
 *
 * @param scored Class scores of a set's cases, row-major `[n, C]`; null leaves the set out.
 */
export async function evaluate(
  context: ReproduceContext,
  run: PlannedRun,
  scored: (dataset: Dataset) => Promise<Float32Array | null>,
): Promise<Record<string, SetFigures>> {
  const { resamples, dataSeed } = context.scale;
  const out: Record<string, SetFigures> = {};
  for (const [name, { dataset, synthetic }] of Object.entries(await setsOf(context, run))) {
    const { classes, split } = dataset;
    const scores = await scored(dataset);
    if (scores === null) continue;
    const targets = datasetTargets(dataset);
    // The bootstrap's seed is the data's: the intervals of all runs rest on the same resamples.
    const summary = summariseScores(scores, targets, { classes, task: "multiclass", resamples, seed: dataSeed });
    out[name] = {
      accuracy: summary.accuracy,
      accuracy_ci: summary.accuracyInterval,
      auroc: summary.auroc,
      auroc_ci: summary.aurocInterval,
      classes,
      split,
      synthetic,
      scores: packScores(classes.length === 2 ? scores.filter((_, i) => i % 2 === 1) : scores),
      targets: packTargets(targets),
    };
  }
  return out;
}
