/**
 * This library in a process of its own whose V8 joins 128-bit instructions to 256-bit ones, with the protocol of
 * torch_peer.py: `deno run --allow-read --allow-env --v8-flags=--experimental-wasm-revectorize bench/peers/wide_peer.ts`
 *
 * @module
 */
import { selectBackend } from "../../lib/tensor/backend.ts";
import { initWasm } from "../../lib/tensor/wasm/init.ts";
import { blockPiece, matmulPiece } from "../pieces.ts";
import { makeWork, type WorkOptions } from "../work.ts";
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

await selectBackend({ backend: "wasm", wasm: { wide: true } });
await serve({}, async (work, threads) => ({
  ...await jobOf(work as unknown as Request),
  before: () => initWasm({ threads }),
}));
