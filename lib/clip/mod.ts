/**
 * Contrastive image-text models: towers, configurations, checkpoints, loading, zero-shot classification.
 *
 * @module
 */
export * from "./config.ts";
export * from "./contrastive.ts";
export * from "./files.ts";
export * from "./load.ts";
export * from "./mini.ts";
export * from "./params.ts";
export * from "./tokenise.ts";
export * from "./towers/cut_texts.ts";
export * from "./towers/encoder.ts";
export * from "./towers/image.ts";
export * from "./towers/text.ts";
export * from "./checkpoint/checkpoint.ts";
export * from "./checkpoint/find_layout.ts";
export * from "./checkpoint/names.ts";
export * from "./checkpoint/tensors.ts";
export * from "./config_file/fields.ts";
export * from "./config_file/implied.ts";
export * from "./config_file/parse.ts";
export * from "./config_file/preprocessor.ts";
export * from "./config_file/sizes.ts";
export * from "./zero_shot/prompts.ts";
export * from "./zero_shot/scores.ts";
