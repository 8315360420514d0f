// @ts-self-types="./tfjs_module.d.ts"
/*
 * tfjs's own wasm files as compiled modules: imports, so no read permission is asked. The source phase of an import is
 * not in TypeScript's grammar yet, hence a JavaScript file.
 */
import source simd from "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm";
import source threaded from "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.wasm";
export const plainModule = simd;
export const threadedModule = threaded;
