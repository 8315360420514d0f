/**
 * Parameter-efficient fine-tuning methods, a folder each.
 *
 * @module
 */
export * from "./blocks.ts";
export * from "./files.ts";
export * from "./merge.ts";
export * from "./method.ts";
export * from "./methods.ts";
export * from "./subsets.ts";
export * from "./adapter/method.ts";
export * from "./clip_adapter/layer.ts";
export * from "./clip_adapter/method.ts";
export * from "./coop/method.ts";
export * from "./dora/method.ts";
export * from "./ia3/method.ts";
export * from "./lora/config.ts";
export * from "./lora/inject.ts";
export * from "./lora/merge.ts";
export * from "./low_rank.ts";
export * from "./vpt/method.ts";
