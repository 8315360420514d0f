/**
 * Instantiates tfjs's wasm file in a memory that workers can share. tfjs's threaded file imports such a memory; its own
 * threads stay off (only XNNPACK would use them), so the JavaScript of the file for one thread can drive it.
 *
 * @module
 */
import { wasmModule } from "../../platform/assets.ts";
import { functionsOf } from "./module.ts";

/** What tfjs's JavaScript is given. */
export interface TfjsInstance {
  /** The compiled file. */
  module: WebAssembly.Module;
  /** Its exports, `memory` among them. */
  instance: { exports: WebAssembly.Exports };
}

/** Pages at first, as in the file for one thread, and at most: 4 GB, of which the system provides what is written to. */
const PAGES = { initial: 256, maximum: 65536 };

/**
 * tfjs's wasm, in a shared memory, or in one of its own where 4 GB of addresses cannot be reserved: then there are no
 * threads.
 *
 * @param imports What tfjs's JavaScript for one thread provides.
 * @returns What `WebAssembly.instantiate` would resolve to.
 */
export async function instantiateTfjs(imports: WebAssembly.Imports): Promise<TfjsInstance> {
  let memory: WebAssembly.Memory;
  try {
    memory = new WebAssembly.Memory({ ...PAGES, shared: true });
    if (isSingle()) throw new RangeError("such a memory could not be sent to a worker");
  } catch {
    const module = await wasmModule("tfjs-backend-wasm-simd");
    return { module, instance: await WebAssembly.instantiate(module, imports) };
  }
  const threadedModule = await wasmModule("tfjs-backend-wasm-threaded-simd");
  const env: WebAssembly.ModuleImports = { ...imports["env"], ...threadImports(() => exports), memory };
  for (const { module, name, kind } of WebAssembly.Module.imports(threadedModule)) {
    if (module === "env" && kind === "function") env[name] ??= () => refuse(name);
  }
  const { exports } = await WebAssembly.instantiate(threadedModule, { ...imports, env });
  return { module: threadedModule, instance: { exports: { ...exports, memory } } };
}

/** Whether this is a page that is not isolated from others: it may make a shared memory, and no more. */
function isSingle(): boolean {
  return Reflect.get(globalThis, "crossOriginIsolated") === false;
}

/** The functions that the start of the threaded file calls: it learns that there is one processor, so it starts no thread. */
function threadImports(exports: () => WebAssembly.Exports): Record<string, (...args: number[]) => number | void> {
  const call = (name: string, ...args: number[]): void => {
    functionsOf(exports())[name]!(...args);
  };
  return {
    emscripten_num_logical_cores: () => 1,
    emscripten_get_now: () => performance.now(),
    emscripten_check_blocking_allowed: () => {},
    __emscripten_init_main_thread_js(thread) {
      call("_emscripten_thread_init", thread!, 1, 1, 1); // the main thread, of the runtime too, which may block
      call("_emscripten_tls_init");
    },
  };
}

function refuse(name: string): never {
  throw new Error(`Cannot start a thread of tfjs's own as it must run on one: current call is ${name}`);
}
