/**
 * Data sets from their published layouts, exact splits, CSV files and masks.
 *
 * @module
 */
export * from "./csv.ts";
export * from "./dataset.ts";
export * from "./folder.ts";
export * from "./labels.ts";
export * from "./pairs.ts";
export * from "./types.ts";
