/** Chooses the backend: webgpu on real hardware, else wasm, else cpu. @module */
import * as tf from "@tensorflow/tfjs";
import { errorMessage } from "../platform/error_message.ts";
import { checkOptions, checkValue, FLAG, oneOf, RECORD, type Rules } from "../platform/options.ts";
import { readVariable } from "../platform/variables.ts";
import { BlasError } from "./wasm/blas_checks.ts";
import { initWasm, WASM_RULES, wasmBackend, type WasmOptions } from "./wasm/init.ts";
import { wasmKernels } from "./wasm/module.ts";
import { threadCount } from "./wasm/threads.ts";
import { initWebgpu } from "./webgpu/init.ts";

/** A tf.js backend this library runs on. */
export type BackendName = "webgpu" | "wasm" | "cpu";

/** What runs the numbers. */
export interface BackendInfo {
  /** The backend in use. */
  name: BackendName;
  /** The GPU adapter's name, or what the CPU backend is. */
  adapter: string;
  /** Why a faster backend was passed over; empty when none was. */
  reasons: string[];
}

/** Options of {@linkcode selectBackend}. */
export interface SelectBackendOptions {
  /** Force one backend; it is an error if it cannot start. @default {ACE_BACKEND, else the fastest there is} */
  backend?: BackendName;
  /** Accept a software GPU adapter (correct, about 20 times slower than wasm). @default {only when webgpu is forced} */
  allowSoftware?: boolean;
  /** Threads and instructions of the wasm backend. @default {see there} */
  wasm?: WasmOptions;
}

/** The fastest first. */
const BACKENDS: readonly BackendName[] = ["webgpu", "wasm", "cpu"];

/** What they must be. */
const BACKEND_RULES: Rules<SelectBackendOptions> = {
  backend: oneOf(BACKENDS),
  allowSoftware: FLAG,
  wasm: RECORD,
};

/** The backend that a variable asks for. */
function backendOf(variable: string): BackendName | undefined {
  const name = readVariable(variable);
  if (name) checkValue("select a backend", variable, name, BACKEND_RULES.backend);
  return BACKENDS.find((known) => known === name);
}

/**
 * Starts the fastest backend that works and makes it tf.js's current one. Further calls return at once.
 *
 * @throws {Error} If a forced backend cannot start; the message says why.
 * @throws {BlasError} If a library is named that cannot be used.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 * @throws {RangeError} If the number of threads asked for, also by ACE_THREADS, is not a positive integer.
 *
 * @example WebAssembly, wherever it runs
 * ```ts
 * import { selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * const { name } = await selectBackend({ backend: "wasm" });
 * assertEquals(name, "wasm");
 * ```
 */
export async function selectBackend(options: SelectBackendOptions = {}): Promise<BackendInfo> {
  tf.enableProdMode(); // else tf.js advertises another package on stderr
  checkOptions("select a backend", options, BACKEND_RULES);
  if (options.wasm) checkOptions("start wasm", options.wasm, WASM_RULES);
  const forced = options.backend ?? backendOf("ACE_BACKEND");
  const allowSoftware = options.allowSoftware ?? forced === "webgpu";
  const reasons: string[] = [];
  for (const name of forced ? [forced] : BACKENDS) {
    const started = await start(name, allowSoftware, options.wasm);
    if ("adapter" in started) return { name, adapter: started.adapter, reasons };
    reasons.push(`${name}: ${started.reason}`);
  }
  throw new Error(`Cannot start a backend: ${reasons.join("; ")}`);
}

async function start(
  name: BackendName,
  allowSoftware: boolean,
  wasm?: WasmOptions,
): Promise<{ adapter: string } | { reason: string }> {
  if (name === "wasm") threadCount(wasm?.threads); // a number that is none is a mistake, no reason to pass wasm over
  try {
    let adapter = "tf.js, plain JavaScript";
    if (name === "webgpu") {
      const hardware = await initWebgpu({ allowSoftware });
      if ("reason" in hardware) return hardware;
      adapter = hardware.adapter;
    } else if (name === "wasm") {
      await initWasm(wasm);
      const { modules: { strips }, blas } = wasmKernels(wasmBackend());
      adapter = `tf.js, WebAssembly SIMD${strips?.bits === 256 ? ", 256-bit products" : ""}${
        blas ? `, ${blas.description}` : ""
      }`;
    }
    if (!await tf.setBackend(name)) return { reason: "tf.js could not initialise it" };
    await tf.ready();
    return { adapter };
  } catch (error) {
    if (error instanceof BlasError) throw error; // a library asked for by name
    return { reason: errorMessage(error) };
  }
}
