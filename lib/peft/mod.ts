/**
 * Parameter-efficient fine-tuning methods, a folder each.
 *
 * @module
 */
export * from "./files.ts";
export * from "./method.ts";
export * from "./methods.ts";
export * from "./ace_lora/method.ts";
export * from "./adapter/method.ts";
export * from "./bitfit/method.ts";
export * from "./clip_adapter/layer.ts";
export * from "./clip_adapter/method.ts";
export * from "./coop/method.ts";
export * from "./dora/layer.ts";
export * from "./dora/method.ts";
export * from "./full/method.ts";
export * from "./heads/method.ts";
export * from "./ia3/layer.ts";
export * from "./ia3/method.ts";
export * from "./lora/config.ts";
export * from "./lora/inject.ts";
export * from "./lora/layer.ts";
export * from "./lora/merge.ts";
export * from "./lora/method.ts";
export * from "./none/method.ts";
export * from "./vpt/method.ts";
