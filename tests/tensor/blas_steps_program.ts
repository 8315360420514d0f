/**
 * Run by blas_test.ts: linear layers, a perceptron and layers with low-rank updates, with gradients, by weights that get packed in the
 * course of it: how many results of each phase have other bits than the first run's, and how many weights were multiplied by in
 * steps of rows.
 */
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { normal } from "../../lib/tensor/init.ts";
import { fusedLinear } from "../../lib/tensor/kernels/linear/api.ts";
import { fusedLoraLinear } from "../../lib/tensor/kernels/lora/api.ts";
import { fusedMlp } from "../../lib/tensor/kernels/mlp/api.ts";
import type { Tensor, Tensor1D, Tensor2D } from "../../lib/tensor/types.ts";
import { type WasmBackend, wasmKernels } from "../../lib/tensor/wasm/module.ts";
import { setThreads, threadPool } from "../../lib/tensor/wasm/threads.ts";

const [ROWS, WIDTH, HIDDEN, RANK, RUNS] = [611, 256, 1152, 4, 5];

const { adapter } = await selectBackend({ backend: "wasm", wasm: { blas: Deno.args[0]!, threads: 2 } });
const backend = tf.engine().findBackend("wasm") as unknown as WasmBackend;
await Deno.permissions.revoke({ name: "ffi" });
const { packs } = wasmKernels(backend).blas!;
let steps = 0;
if (packs) {
  const { agrees } = packs;
  packs.agrees = (sizes, compare) => {
    const answer = agrees(sizes, compare);
    steps += Number(answer && compare === undefined);
    return answer;
  };
}

const matrix = (rows: number, columns: number, seed: number): Tensor2D => normal([rows, columns], 0.1, seed, "m");
const layer = (outSize: number, inSize: number, seed: number) => ({
  weight: matrix(outSize, inSize, seed),
  bias: normal([outSize], 1, seed, "bias") as Tensor1D,
});
const [x, addend] = [matrix(ROWS, WIDTH, 1), matrix(ROWS, WIDTH, 2)];
const [single, first, second] = [layer(HIDDEN, WIDTH, 3), layer(HIDDEN, WIDTH, 4), layer(WIDTH, HIDDEN, 5)];
const low = [6, 7, 8].map((seed) => ({
  ...layer(WIDTH, WIDTH, seed),
  loraA: matrix(RANK, WIDTH, seed),
  loraB: matrix(WIDTH, RANK, seed),
  scaling: 0.7,
  rate: 0.25,
  seed,
}));
const perceptron = (x: Tensor2D): Tensor => fusedMlp(x, [first, second], { addend, rate: 0.1, seed: 9 });
const lora = (x: Tensor2D): Tensor => tf.addN(fusedLoraLinear(x, low));
const work = (): Tensor[] => [
  fusedLinear(x, single, { rate: 0.1, seed: 10 }),
  perceptron(x),
  ...[perceptron, lora].map((f) => tf.grad((x) => tf.sum(tf.square(f(x as Tensor2D))))(x)),
];
const bits = async (): Promise<Int32Array[]> => {
  const results = tf.tidy(work);
  const values = await Promise.all(results.map((t) => t.data()));
  tf.dispose(results);
  return values.map((v) => new Int32Array((v as Float32Array).slice().buffer));
};
let expected: Int32Array[] | undefined;
const counts: number[] = [];
const differing: number[] = [];
/** Some runs of the work, after which a weight of any form is packed. */
const runs = async (times: number): Promise<void> => {
  steps = 0;
  let others = 0;
  for (let i = 0; i < times; i++) {
    const values = await bits();
    expected ??= values;
    others += values.filter((v, i) => v.some((value, j) => value !== expected![i]![j])).length;
  }
  counts.push(steps);
  differing.push(others);
};
const { numTensors } = tf.memory();
await runs(RUNS); // they get packed
await runs(1);
threadPool()!.patience = 0; // every chunk of the worker is late, and computed again by the main thread elsewhere
await runs(RUNS);
await setThreads(backend, 1);
await runs(RUNS);
console.log(JSON.stringify({ adapter, differing, counts, leak: tf.memory().numTensors - numTensors }));
Deno.exit(0);
