/**
 * Whole jobs: load a model, read data, adapt, evaluate, explain.
 *
 * @module
 */
export * from "./adapter.ts";
export * from "./assess.ts";
export * from "./demo.ts";
export * from "./explain.ts";
export * from "./mini.ts";
export * from "./model_files.ts";
export * from "./pretrain.ts";
export * from "./run_facts.ts";
export * from "./sources.ts";
