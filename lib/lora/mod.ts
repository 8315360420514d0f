/**
 * LoRA: rank-stabilised low-rank updates of attention projections; inject, count, merge, unmerge.
 *
 * @module
 */
export * from "./config.ts";
export * from "./inject.ts";
export * from "./merge.ts";
