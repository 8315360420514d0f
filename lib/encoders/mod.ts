/**
 * Image and text encoders: ViT and BERT towers with projection heads, at any size.
 *
 * @module
 */
export * from "./bert.ts";
export * from "./biomed_clip.ts";
export * from "./checkpoint.ts";
export * from "./clip.ts";
export * from "./clip_checkpoint.ts";
export * from "./clip_checkpoint_names.ts";
export * from "./clip_config.ts";
export * from "./clip_config_fields.ts";
export * from "./clip_config_file.ts";
export * from "./clip_config_sizes.ts";
export * from "./clip_init.ts";
export * from "./config.ts";
export * from "./context.ts";
export * from "./init.ts";
export * from "./skeleton.ts";
export * from "./vision_text_pair.ts";
export * from "./vit.ts";
