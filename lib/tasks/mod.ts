/**
 * Whole jobs: load a model, read data, adapt, evaluate, explain.
 *
 * @module
 */
export * from "./adapter.ts";
export * from "./any_clip.ts";
export * from "./assess.ts";
export * from "./classify.ts";
export * from "./demo.ts";
export * from "./dense_detect.ts";
export * from "./dense_files.ts";
export * from "./dense_segment.ts";
export * from "./dense_table.ts";
export * from "./encode_shards.ts";
export * from "./encode_shards_merge.ts";
export * from "./explain.ts";
export * from "./feature_encoder.ts";
export * from "./hash_path.ts";
export * from "./mini.ts";
export * from "./model_files.ts";
export * from "./pretrain.ts";
export * from "./pretrain_settings.ts";
export * from "./reproduce/comparisons.ts";
export * from "./reproduce/context.ts";
export * from "./reproduce/data.ts";
export * from "./reproduce/dense.ts";
export * from "./reproduce/figures.ts";
export * from "./reproduce/gather.ts";
export * from "./reproduce/published.ts";
export * from "./reproduce/report.ts";
export * from "./reproduce/reproduce.ts";
export * from "./reproduce/scale.ts";
export * from "./reproduce/summary.ts";
export * from "./reproduce/tables.ts";
export * from "./reproduce/titled.ts";
export * from "./reproduce/types.ts";
export * from "./run_facts.ts";
export * from "./sources.ts";
export * from "./dense_data.ts";
export * from "./dense_encoder.ts";
export * from "./dense_pictures.ts";
export * from "./dense_submissions.ts";
