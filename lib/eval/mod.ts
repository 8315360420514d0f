/**
 * Zero-shot evaluation: prompts, scores, accuracy, AUROC, bootstrap intervals.
 *
 * @module
 */
export * from "./metrics/mod.ts";
export * from "./prompts.ts";
export * from "./zero_shot.ts";
