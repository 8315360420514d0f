/** Starts tfjs's wasm backend and gives it our kernels. @module */
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { registerFusedWasm } from "./fused.ts";
import { registerIdentity } from "./identity.ts";
import { registerMatMul } from "./matmul.ts";
import { tfjsModule } from "./tfjs_module.js";

/** Stands for tfjs's wasm file in the `data:` URL that tfjs is told to fetch. */
const PLACEHOLDER = "ace-lora: tfjs-backend-wasm-simd.wasm";

let ready: Promise<void> | undefined;

/**
 * Starts tfjs's backend `wasm` and replaces its matmuls by ours; adds the fused kernels. `tf.setBackend("wasm")` is left
 * to the caller. Asks no permission: tfjs's wasm file is imported as a module, not read from the disk. Calling it
 * again does nothing.
 *
 * @throws {Error} If the backend does not start.
 */
export function initWasm(): Promise<void> {
  return ready ??= start();
}

async function start(): Promise<void> {
  const engine = tf.engine() as unknown as {
    registry: Record<string, unknown>;
    initializeBackend(name: string): { success: boolean | Promise<boolean> };
  };
  if (!engine.registry.wasm) {
    const restore = serveModule();
    try {
      if (!(await engine.initializeBackend("wasm").success)) {
        ready = undefined;
        throw new Error("Cannot start the wasm backend as tfjs could not initialise it: see the warning above");
      }
    } finally {
      restore();
    }
  }
  registerIdentity();
  registerMatMul();
  registerFusedWasm();
}

/**
 * Lets tfjs instantiate the imported module: it is told to fetch a `data:` URL, which needs no permission, and
 * `WebAssembly.instantiate` exchanges that URL's bytes for the module while the backend starts.
 *
 * @returns Undoes it.
 */
function serveModule(): () => void {
  const url = `data:application/wasm,${encodeURIComponent(PLACEHOLDER)}`;
  setWasmPaths({
    "tfjs-backend-wasm.wasm": url,
    "tfjs-backend-wasm-simd.wasm": url,
    "tfjs-backend-wasm-threaded-simd.wasm": url,
  }, true);
  const original = WebAssembly.instantiate;
  const isPlaceholder = (source: unknown): boolean =>
    source instanceof ArrayBuffer && new TextDecoder().decode(source) === PLACEHOLDER;
  const instantiate = async (source: unknown, imports?: WebAssembly.Imports): Promise<unknown> => {
    if (!isPlaceholder(source)) return await original(source as WebAssembly.Module, imports);
    return { module: tfjsModule, instance: await original(tfjsModule, imports) };
  };
  WebAssembly.instantiate = instantiate as typeof WebAssembly.instantiate;
  return () => {
    WebAssembly.instantiate = original;
  };
}
