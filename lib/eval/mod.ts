/**
 * Evaluation: figures and their intervals, classification of images, explanations, features of whole sets.
 *
 * @module
 */
export * from "./metrics/mod.ts";
export * from "./assess.ts";
export * from "./classify.ts";
export type { ClassColumn } from "./evaluation/columns.ts";
export * from "./evaluation/compare.ts";
export type { Drawing } from "./evaluation/estimate.ts";
export * from "./evaluation/evaluate.ts";
export * from "./evaluation/hardest.ts";
export * from "./evaluation/page.ts";
export * from "./evaluation/predictions.ts";
export * from "./evaluation/subgroups.ts";
export * from "./explain.ts";
export * from "./probe/lbfgs.ts";
export * from "./probe/logistic.ts";
export * from "./probe/neighbours.ts";
export * from "./probe/choose.ts";
export * from "./probe/few_shot.ts";
export * from "./probe/lora.ts";
export * from "./probe/methods.ts";
export * from "./probe/shots.ts";
export * from "./probe/task.ts";
export * from "./probe/trained.ts";
export * from "./encode/feature_encoder.ts";
export * from "./encode/merge.ts";
export * from "./encode/shards.ts";
export * from "./retrieve.ts";
export * from "./maps/faithfulness.ts";
export * from "./maps/game.ts";
export * from "./maps/maps.ts";
export * from "./maps/model.ts";
export * from "./maps/pointing.ts";
export * from "./maps/show.ts";
export * from "./validation.ts";
