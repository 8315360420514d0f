/**
 * Fine-tuning methods of one form: start values for a frozen model, which of them train, and the features, so that one training
 * loop and one evaluation serve all. Zero-shot, full, heads, BitFit, adapters, (IA)^3, VPT, CoOp, CLIP-Adapter, LoRA, rsLoRA,
 * DoRA, ACE-LoRA.
 *
 * @module
 */
export * from "./adapter.ts";
export * from "./blocks.ts";
export * from "./clip_adapter.ts";
export * from "./context.ts";
export * from "./dora.ts";
export * from "./feature_adapter.ts";
export * from "./files.ts";
export * from "./ia3.ts";
export * from "./low_rank.ts";
export * from "./merge.ts";
export * from "./method.ts";
export * from "./methods.ts";
export * from "./subsets.ts";
export * from "./visual_prompts.ts";
