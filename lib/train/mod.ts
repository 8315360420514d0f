/**
 * Training: AdamW, warm-up and cosine, epochs over batches, checkpoints that resume to the same numbers.
 *
 * @module
 */
export * from "./adamw.ts";
export * from "./batch.ts";
export * from "./batches.ts";
export * from "./clip_gradients.ts";
export * from "./fit.ts";
export * from "./learnable.ts";
export * from "./flat.ts";
export * from "./gradients.ts";
export * from "./log/figures.ts";
export * from "./log/run_log.ts";
export * from "./log/tensor_board.ts";
export * from "./log/watch.ts";
export * from "./padding.ts";
export * from "./schedule.ts";
export * from "./source.ts";
export * from "./state.ts";
