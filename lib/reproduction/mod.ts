/**
 * The paper's tables, the demo and the pre-training of the mini model.
 *
 * @module
 */
export * from "./context.ts";
export * from "./data.ts";
export * from "./demo/demo.ts";
export * from "./figures.ts";
export * from "./files.ts";
export * from "./plan.ts";
export * from "./pretrain/pretrain.ts";
export * from "./pretrain/settings.ts";
export * from "./record.ts";
export * from "./report.ts";
export * from "./reproduce.ts";
export * from "./scale.ts";
export * from "./summary.ts";
export * from "./table4_run.ts";
export * from "./tables/published.ts";
export * from "./tables/registry.ts";
export * from "./tables/table.ts";
export * from "./tables/table4.ts";
