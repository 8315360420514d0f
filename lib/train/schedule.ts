/** The learning rate over a run. @module */

/** Options of {@linkcode warmupCosine}. */
export interface ScheduleOptions {
  /** Highest rate. */
  learningRate: number;
  /** Steps of linear warm-up. */
  warmupSteps: number;
  /** Steps of the run, warm-up included. */
  totalSteps: number;
}

/**
 * Learning rate of step `step` (from 0): `rate · step / warmupSteps` during warm-up (so 0 at step 0), then half a cosine to zero.
 *
 * Source: method section 5; transformers' `get_cosine_schedule_with_warmup`, which the released code uses.
 */
export function warmupCosine(step: number, options: ScheduleOptions): number {
  const { learningRate, warmupSteps, totalSteps } = options;
  if (step < warmupSteps) return learningRate * step / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  return learningRate * 0.5 * (1 + Math.cos(Math.PI * progress));
}
