/**
 * Backends, parameter trees and seeded numbers.
 *
 * @module
 */
export * from "./backend.ts";
export * from "./init.ts";
export { l2Normalise } from "./kernels/l2_normalise/api.ts";
export * from "./ops.ts";
export * from "./params.ts";
export * from "./random.ts";
export * from "./types.ts";
export type { WasmOptions } from "./wasm/init.ts";
