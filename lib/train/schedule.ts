/** The learning rate over a run. @module */

import { AMOUNT, checkOptions, checkValue, needed, type Rules } from "../platform/options.ts";

/** Options of {@linkcode warmupCosine}. */
export interface ScheduleOptions {
  /** Highest rate. */
  learningRate: number;
  /** Steps of linear warm-up. */
  warmupSteps: number;
  /** Steps of the run, warm-up included. */
  totalSteps: number;
}

/** What they must be. */
const SCHEDULE_RULES: Rules<ScheduleOptions> = {
  learningRate: needed(AMOUNT),
  warmupSteps: needed(AMOUNT),
  totalSteps: needed(AMOUNT),
};

/**
 * Learning rate of step `step` (from 0): `rate · step / warmupSteps` during warm-up (so 0 at step 0), then half a cosine to zero.
 *
 * Source: method section 5; transformers' `get_cosine_schedule_with_warmup`, which the released code uses.
 *
 * @throws {TypeError | RangeError} If an option is missing, unknown or of another kind.
 */
export function warmupCosine(step: number, options: ScheduleOptions): number {
  checkOptions("schedule a learning rate", options, SCHEDULE_RULES);
  checkValue("schedule a learning rate", "the step", step, AMOUNT);
  const { learningRate, warmupSteps, totalSteps } = options;
  if (step < warmupSteps) return learningRate * step / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  return learningRate * 0.5 * (1 + Math.cos(Math.PI * progress));
}
