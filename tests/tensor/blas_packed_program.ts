/**
 * Run by blas_test.ts and blas_refused_test.ts: one weight in both forms with many inputs, whether all products have the bits of the
 * first, and how many of them found the weight packed and used it.
 */
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import type { Tensor2D } from "../../lib/tensor/types.ts";
import { type WasmBackend, wasmKernels } from "../../lib/tensor/wasm/module.ts";
import { setThreads } from "../../lib/tensor/wasm/threads.ts";

const [INNER, COLUMNS, TIMES] = [128, 640, 8];
const rows = Number(Deno.args[2] ?? 101);
const rng = mulberry32(1);
const random = (...shape: [number, number]): Tensor2D =>
  tf.tensor2d(Float32Array.from({ length: shape[0] * shape[1] }, () => rng() - 0.5), shape);

const { adapter } = await selectBackend({ backend: "wasm", wasm: { blas: Deno.args[0]!, threads: 2 } });
const backend = tf.engine().findBackend("wasm") as unknown as WasmBackend;
const { packs } = wasmKernels(backend).blas!;
const available = Deno.args[1]; // MiB that the machine has, as if it said so
if (available) Deno.systemMemoryInfo = () => ({ available: Number(available) * 2 ** 20 }) as Deno.SystemMemoryInfo;
await Deno.permissions.revoke({ name: "ffi" });
let [found, agreed] = [0, 0];
if (packs) {
  const { find, agrees } = packs;
  packs.find = (matrix) => {
    const place = find(matrix);
    found += Number(place !== undefined);
    return place;
  };
  packs.agrees = (sizes, compare) => {
    const answer = agrees(sizes, compare);
    agreed += Number(answer);
    return answer;
  };
}
const weights = { false: random(INNER, COLUMNS), true: random(COLUMNS, INNER) };
const inputs = Array.from({ length: TIMES }, () => random(rows, INNER));
const run = async (): Promise<Float32Array[]> => {
  const results = [];
  for (const transposed of [false, true]) {
    const weight = weights[`${transposed}`];
    for (const x of inputs) results.push(await tf.matMul(x, weight, false, transposed).data() as Float32Array);
  }
  return results;
};
const [first, second] = [await run(), await run()];
await setThreads(backend, 1);
const third = await run();
const differing =
  [second, third].flatMap((results) => results.filter((r, i) => r.some((value, j) => value !== first[i]![j]))).length;
console.log(JSON.stringify({ adapter, packs: packs !== undefined, found, agreed, differing }));
Deno.exit(0);
