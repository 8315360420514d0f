/**
 * Peak memory of training MINI with the paper's settings: two epochs of 1,024 pairs, whatever the batch, whose texts,
 * labels and images are drawn when they are asked for and kept by nobody. One JSON line. A process of its own: a peak never
 * goes down.
 *
 * `deno run --v8-flags=--heap-growing-percent=30 --allow-read --allow-env --allow-run=grep bench/memory.ts 256 16` (batch, micro-batch)
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { aceLoraModel, initAceLora } from "../lib/ace_lora.ts";
import { MINI } from "../lib/clip/architectures.ts";
import { ACE_LORA_HGNN } from "../lib/hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA } from "../lib/peft/lora/config.ts";
import { selectBackend } from "../lib/tensor/backend.ts";
import { deriveSeed, mulberry32 } from "../lib/tensor/random.ts";
import type { WasmBackend } from "../lib/tensor/wasm/module.ts";
import { fit } from "../lib/train/fit.ts";
import type { BatchSource } from "../lib/train/source.ts";
import { frozenModel } from "./work.ts";

const { imageSize } = MINI.vision;
const { contextLength, vocabularySize } = MINI.text;

/** Rows of numbers, each from a seed of its own. */
function drawn<T extends Float32Array | Int32Array>(
  rows: T,
  indices: readonly number[],
  draw: (uniform: number, column: number) => number,
): T {
  const width = rows.length / indices.length;
  indices.forEach((index, i) => {
    const next = mulberry32(deriveSeed(index, rows.constructor.name));
    for (let column = 0; column < width; column++) rows[i * width + column] = draw(next(), column);
  });
  return rows;
}

const source: BatchSource = {
  size: 1024,
  imageSize,
  contextLength,
  ids: (indices) => {
    const rows = new Int32Array(indices.length * contextLength);
    return Promise.resolve(drawn(rows, indices, (u) => 5 + Math.floor(u * (vocabularySize - 5))));
  },
  pixels: (indices) => {
    const rows = new Float32Array(indices.length * imageSize ** 2 * 3);
    return Promise.resolve(drawn(rows, indices, (u) => (2 * u - 1) * Math.sqrt(3))); // of variance 1
  },
  labels: (indices) =>
    Promise.resolve(indices.map((index) => Array.from({ length: 14 }, (_, i) => index >> i & 1 ? 1 : 0))),
};

const [batch, microBatch] = Deno.args.map(Number) as [number, number];
await selectBackend({ backend: "wasm", wasm: { blas: "off" } });
const config = { encoders: MINI, lora: ACE_LORA_LORA, hgnn: ACE_LORA_HGNN };
const start = await initAceLora(frozenModel("mini"), config);
const { history } = await fit(aceLoraModel(config), start, source, { epochs: 2, batchSize: batch, microBatch });
// grep reads it, as Deno gives nobody less than all permissions for /proc.
const { stdout } = await new Deno.Command("grep", { args: ["VmHWM", `/proc/${Deno.pid}/status`] }).output();
const peak = Number(/(\d+) kB/.exec(new TextDecoder().decode(stdout))?.[1]);
const heap = (tf.backend() as unknown as WasmBackend).wasm.asm.memory.buffer.byteLength;
const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20 * 10) / 10;
console.log(JSON.stringify({
  batch,
  microBatch,
  steps: history.length,
  peakMiB: mebibytes(peak * 1024),
  wasmHeapMiB: mebibytes(heap),
  batchImagesMiB: mebibytes(batch * 4 * imageSize ** 2 * 3),
}));
Deno.exit(0);
