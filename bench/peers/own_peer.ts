/**
 * This library in a process of its own that was started otherwise, with the protocol of torch_peer.py: `wide`, where V8 joins
 * 128-bit instructions to 256-bit ones (`--v8-flags=--experimental-wasm-revectorize`), and `native`, where large products are
 * a system BLAS library's besides (`--allow-ffi`).
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { blasChoice } from "../../lib/tensor/wasm/blas.ts";
import { initWasm } from "../../lib/tensor/wasm/init.ts";
import { type WasmBackend, wasmKernels } from "../../lib/tensor/wasm/module.ts";
import { blockPiece, matmulPiece } from "../pieces.ts";
import { makeWork, type WorkOptions } from "../work.ts";
import { NATIVE } from "./peer.ts";
import { type Job, serve } from "./serve.ts";

type Request =
  | { kind: "matmul"; m: number; k: number; n: number }
  | { kind: "block"; batch: number; backward: boolean }
  | ({ kind: "image" | "text" | "step" } & WorkOptions);

async function jobOf(request: Request): Promise<Job> {
  if (request.kind === "matmul") {
    const { forward, dispose } = matmulPiece(request.m, request.k, request.n, [false, false]);
    return { run: forward, dispose };
  }
  if (request.kind === "block") {
    const { both, forward, dispose } = blockPiece(request.batch);
    return { run: request.backward ? both : forward, dispose };
  }
  const work = await makeWork(request);
  const run = { image: work.encodeImages, text: work.encodeTexts, step: work.step }[request.kind];
  return { run, dispose: work.dispose };
}

/** The library, as "MKL 2026.2 (AVX-512)", that `native` has: ACE_BLAS's, or the first of the system's. */
function libraryName(): string {
  const { blas } = wasmKernels(tf.engine().findBackend("wasm") as unknown as WasmBackend);
  if (blas) return blas.description.replace(/, \d+ threads?$/, "");
  throw new Error(LIBRARY === "off" ? "ACE_BLAS is off" : "no BLAS library was found on this system");
}

const native = Deno.args[0] === "native";
const LIBRARY = native ? blasChoice() : "off";
await selectBackend({ backend: "wasm", wasm: { wide: true, blas: LIBRARY } });
let current = 0;
await serve(native ? { [NATIVE]: libraryName() } : {}, async (work, threads) => ({
  ...await jobOf(work as unknown as Request),
  before: async () => {
    // The library has to be told of the threads too, and is then opened anew.
    if (threads !== current) await initWasm({ threads, blas: LIBRARY });
    current = threads;
  },
}));
