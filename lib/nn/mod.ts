/**
 * Layers that encoders are made of: linear (with optional LoRA), LayerNorm, attention, feed-forward, transformer blocks.
 *
 * @module
 */
export * from "./attention.ts";
export * from "./bottleneck.ts";
export * from "./towers.ts";
export * from "./extra_tokens.ts";
export * from "./layer_norm.ts";
export * from "./linear.ts";
export * from "./mlp.ts";
export * from "./transformer.ts";
