// @ts-self-types="./tfjs_module.d.ts"
/*
 * tfjs's own wasm file as a compiled module: an import, so no read permission is asked. The source phase of an import
 * is not in TypeScript's grammar yet, hence a JavaScript file.
 */
import source simd from "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm";
export const tfjsModule = simd;
