/**
 * Image and text encoders: ViT and BERT towers with projection heads, at any size.
 *
 * @module
 */
export * from "./bert.ts";
export * from "./biomed_clip.ts";
export * from "./checkpoint.ts";
export * from "./config.ts";
export * from "./context.ts";
export * from "./init.ts";
export * from "./skeleton.ts";
export * from "./vit.ts";
