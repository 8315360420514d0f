/** tfjs's wasm backend (SIMD, one thread), compiled: it has a memory of its own. */
export const plainModule: WebAssembly.Module;
/** tfjs's wasm backend for several threads, compiled: it imports a shared memory. */
export const threadedModule: WebAssembly.Module;
