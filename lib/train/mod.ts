/**
 * Training: AdamW, warm-up and cosine, epochs over batches, checkpoints that resume to the same numbers.
 *
 * @module
 */
export { adamw, type AdamwOptions, type AdamwState, disposeAdamw, initAdamw } from "./adamw.ts";
export { type Batch, batchOf, type Samples } from "./batch.ts";
export { epochBatches, type EpochBatchesOptions } from "./batches.ts";
export { clipGradients } from "./clip_gradients.ts";
export type { FitOptions, FitResult, StartReport, StepReport, Validation } from "./options.ts";
export { fit } from "./fit.ts";
export type { FlatLayout, FlatPart } from "./flat.ts";
export { contrastiveGradients, type ContrastiveGradientsOptions, packedGradients } from "./gradients.ts";
export { type Gradients, valueAndGradients } from "../tensor/gradients.ts";
export type { PackedGradients } from "./micro_batch.ts";
export type { GradientSum } from "./shared_gradients.ts";
export { checkLearnable, type LearnableOptions, NothingToLearnError } from "./learnable.ts";
export type { Padding } from "./padding.ts";
export { type ScheduleOptions, warmupCosine } from "./schedule.ts";
export type { BatchSource, TrainingLoss } from "./source.ts";
export {
  hasRunState,
  readRunState,
  type ReadRunStateOptions,
  removeRunState,
  type RunProgress,
  type RunState,
  StateDifferenceError,
  type ValidationEntry,
} from "./state.ts";
export { openRunLog, type RunLog, type RunLogOptions } from "./log/run_log.ts";
export { type EventFile, type EventFileOptions, openEventFile } from "./log/tensor_board.ts";
export { type FitWatch, watchFit, type WatchFitOptions } from "./log/watch.ts";
