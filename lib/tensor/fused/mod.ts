/** Kernels that fuse what tfjs does in many steps, for every backend. @module */
export { adamwUpdate } from "./adamw.ts";
export type { AdamwOptions, AdamwState } from "./adamw.ts";
export { attention } from "./attention.ts";
export type { AttentionOptions } from "./attention.ts";
export { dropout } from "./dropout.ts";
export type { DropoutOptions } from "./dropout.ts";
export { gelu } from "./gelu.ts";
export { layerNorm } from "./layer_norm.ts";
