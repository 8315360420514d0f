/**
 * Adapter files: this package's, PEFT's and the authors', to and from a model.
 *
 * @module
 */
export * from "./combine.ts";
export * from "./describe.ts";
export * from "./files.ts";
export * from "./merge.ts";
export * from "./model.ts";
export * from "./record.ts";
