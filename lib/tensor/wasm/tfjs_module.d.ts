/** tfjs's wasm backend (SIMD, one thread), compiled. */
export const tfjsModule: WebAssembly.Module;
