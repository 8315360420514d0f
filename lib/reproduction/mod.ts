/**
 * The paper's tables, the demo and the pre-training of the mini model.
 *
 * @module
 */
export * from "./comparisons.ts";
export * from "./context.ts";
export * from "./data.ts";
export * from "./table4.ts";
export * from "./demo/demo.ts";
export * from "./figures.ts";
export * from "./gather.ts";
export * from "./pretrain/pretrain.ts";
export * from "./pretrain/settings.ts";
export * from "./published.ts";
export * from "./report.ts";
export * from "./reproduce.ts";
export * from "./scale.ts";
export * from "./summary.ts";
export * from "./tables.ts";
export * from "./titled.ts";
export * from "./types.ts";
