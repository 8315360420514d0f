/** Starts tfjs's wasm backend and gives it our kernels. @module */
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { useNative } from "../kernels/native.ts";
import { registerKernels } from "../kernels/register.ts";
import { privateParts } from "../private_parts.ts";
import { COUNT, FLAG, type Rules, TEXT } from "../../platform/options.ts";
import { readVariable } from "../../platform/variables.ts";
import { WASM_KERNELS } from "./kernels.ts";
import { type WasmBackend, wasmKernels } from "./module.ts";
import { instantiateTfjs } from "./tfjs_instance.ts";
import { BLAS_MATMUL, BLAS_PACKED } from "./blas_matmul.ts";
import { blasChoice, openBlas } from "./blas.ts";
import { setThreads, threadCount } from "./threads.ts";
import { FLAG as WIDE_FLAG } from "./matmul_strips.ts";

/** Stands for tfjs's wasm file in the `data:` URL that tfjs is told to fetch. */
const PLACEHOLDER = "ace-lora: tfjs-backend-wasm-simd.wasm";

/** Options of {@linkcode initWasm}. */
export interface WasmOptions {
  /**
   * Threads for large kernels; 1 switches the workers off. If given, the workers start at once, else when they are worth
   * it.
   *
   * @default the variable ACE_THREADS where it may be read, else the number of processors
   */
  threads?: number;
  /**
   * Whether matrix products use the micro-kernel that V8 makes 256-bit SIMD of, if Deno was started with
   * `--v8-flags=--experimental-wasm-revectorize` on an x86-64 processor with AVX2: about 1.6 times as fast, to the same
   * bits. Without that flag it is several times slower. Only the first call's answer counts.
   *
   * @default whether DENO_V8_FLAGS, if it may be read, has that flag
   */
  wide?: boolean;
  /**
   * Library for large matrix products, called through FFI: `auto` takes the system's (Accelerate, MKL, OpenBLAS, BLIS) where
   * `--allow-ffi` was granted, `off` none; or a library's file. The last bits are then the library's.
   *
   * @default the variable ACE_BLAS where it may be read, else "auto"
   */
  blas?: string;
}

/** What they must be. */
export const WASM_RULES: Rules<WasmOptions> = { threads: COUNT, wide: FLAG, blas: TEXT };

let ready: Promise<void> | undefined;

/**
 * Starts tfjs's backend `wasm` in a memory that threads can share, replaces the kernels that are slow by ours and adds the
 * fused ones. `tf.setBackend("wasm")` is left to the caller. Where tfjs had started the backend before, or 4 GB of
 * addresses cannot be reserved, its memory is not shared and there is one thread. Asks no permission: tfjs's wasm file is imported as a module, not read from the disk. Called again, it
 * only changes the number of threads, if one is given.
 *
 * @param options The number of threads, and which instructions.
 * @throws {Error} If the backend does not start.
 * @throws {BlasError} If a library is named that cannot be used.
 * @throws {RangeError} If the number of threads is not a positive integer.
 */
export async function initWasm(options: WasmOptions = {}): Promise<void> {
  const again = ready !== undefined;
  await (ready ??= start(options.wide ?? flagIsSet()));
  if (again && options.threads === undefined && options.blas === undefined) return;
  const threads = threadCount(options.threads);
  if (!again || options.blas !== undefined) {
    const kernels = wasmKernels(wasmBackend());
    delete kernels.blas;
    for (const name of ["use_blas", "use_exp"]) kernels.run[name]!(0);
    const blas = openBlas(wasmBackend(), blasChoice(options.blas), threads);
    useNative(blas !== undefined);
    if (blas) {
      const run = { ...kernels.run, [BLAS_MATMUL]: blas.matmul, [BLAS_PACKED]: blas.matmulPacked };
      Object.assign(kernels, { blas, run });
    }
  }
  await setThreads(wasmBackend(), threads, options.threads !== undefined);
}

/** tfjs's backend, which is there by then. */
export function wasmBackend(): WasmBackend {
  return privateParts<WasmBackend>(tf.findBackend("wasm"), [
    "wasm",
    "dataIdMap",
    "makeOutput",
    "incRef",
    "disposeData",
  ]);
}

/** Whether the variable from which Deno takes V8's flags names that of matmul_strips.ts. */
function flagIsSet(): boolean {
  return readVariable("DENO_V8_FLAGS")?.split(",").includes(WIDE_FLAG) ?? false;
}

interface Initializing {
  initializeBackend(name: string): { success: boolean | Promise<boolean> };
}

async function start(wide: boolean): Promise<void> {
  const engine = privateParts<Initializing>(tf.engine(), ["initializeBackend"]);
  if (!tf.engine().registry["wasm"]) {
    // Where a page is isolated tfjs would take the JavaScript for threads of its own.
    tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
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
  wasmKernels(wasmBackend(), wide);
  registerKernels("wasm", WASM_KERNELS);
}

/**
 * Lets tfjs instantiate the imported module: what it fetches is a placeholder that is here already, as a page's policy may forbid
 * it to fetch even a `data:` URL, and `WebAssembly.instantiate` exchanges its bytes for the module while the backend starts.
 *
 * @returns Undoes it.
 */
function serveModule(): () => void {
  const { platform } = tf.env();
  const { fetch } = platform;
  setWasmPaths("", true); // by tfjs's platform
  platform.fetch = () => Promise.resolve(new Response(PLACEHOLDER));
  const original = WebAssembly.instantiate;
  const isPlaceholder = (source: unknown): boolean =>
    source instanceof ArrayBuffer && new TextDecoder().decode(source) === PLACEHOLDER;
  const instantiate = async (source: WebAssembly.Module, imports?: WebAssembly.Imports): Promise<unknown> =>
    isPlaceholder(source) ? await instantiateTfjs(imports!) : await original(source, imports);
  WebAssembly.instantiate = instantiate as typeof WebAssembly.instantiate; // all of its forms
  return () => {
    WebAssembly.instantiate = original;
    platform.fetch = fetch;
  };
}
