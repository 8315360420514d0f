/**
 * Layers that encoders are made of: linear (with optional LoRA), LayerNorm, attention, feed-forward, transformer blocks; convolution, batch
 * normalisation and enlargement of maps.
 *
 * @module
 */
export * from "./attention.ts";
export * from "./batch_norm.ts";
export * from "./bottleneck.ts";
export * from "./conv.ts";
export * from "./towers.ts";
export * from "./extra_tokens.ts";
export * from "./layer_norm.ts";
export * from "./linear.ts";
export * from "./mlp.ts";
export * from "./transformer.ts";
export * from "./upsample.ts";
