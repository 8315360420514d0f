/**
 * Peak memory of training steps over 1,024 pairs in all of the mini model, as one JSON line. A process of its own: a peak never goes down.
 *
 * `deno run --allow-read --allow-env --allow-run=grep bench/memory.ts 256 16` (batch, micro-batch)
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../lib/tensor/backend.ts";
import { MINI } from "../lib/encoders/config.ts";
import type { WasmBackend } from "../lib/tensor/wasm/module.ts";
import { makeWork } from "./work.ts";

const [batch, microBatch] = Deno.args.map(Number) as [number, number];
await selectBackend({ backend: "wasm" });
const work = await makeWork({ size: "mini", batch, microBatch });
for (let i = 0; i < Math.ceil(1024 / batch); i++) await work.step();
// grep reads it, as Deno gives nobody less than all permissions for /proc.
const { stdout } = await new Deno.Command("grep", { args: ["VmHWM", `/proc/${Deno.pid}/status`] }).output();
const peak = Number(/(\d+) kB/.exec(new TextDecoder().decode(stdout))?.[1]);
const heap = (tf.backend() as unknown as WasmBackend).wasm.asm.memory.buffer.byteLength;
const inputs = batch * 4 * (MINI.vision.imageSize ** 2 * 3 + MINI.text.contextLength);
const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20 * 10) / 10;
console.log(JSON.stringify({
  batch,
  microBatch,
  peakMiB: mebibytes(peak * 1024),
  wasmHeapMiB: mebibytes(heap),
  inputsMiB: mebibytes(inputs),
}));
Deno.exit(0);
