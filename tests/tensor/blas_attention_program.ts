/**
 * Run by blas_test.ts: attention and its gradients with the products of each head by a library, beside float64's; whether one
 * thread and two give the same bits. Scores near 0 are not shifted: their cases are those without `causal`, with few keys masked.
 */
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { attention } from "../../lib/tensor/kernels/attention/api.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import type { Tensor2D, Tensor3D } from "../../lib/tensor/types.ts";
import { type WasmBackend, wasmKernels } from "../../lib/tensor/wasm/module.ts";
import { setThreads } from "../../lib/tensor/wasm/threads.ts";

/** As many rows as make a head's products worth a call, and a remainder in every direction. */
const [BATCH, ROWS, HEADS, WIDTH] = [9, 101, 3, 64];
const rng = mulberry32(1);
const random = (): Float32Array => Float32Array.from({ length: BATCH * ROWS * HEADS * WIDTH }, () => 4 * rng() - 2);
const values = [random(), random(), random(), random()];
const maskOf = (isKept: (i: number) => boolean): Float32Array =>
  Float32Array.from({ length: BATCH * ROWS }, (_, i) => Number(isKept(i)));
const padded = maskOf((i) => i % ROWS < 90 && i >= ROWS); // none of the first's
const pierced = maskOf((i) => ![3, 40, 99].includes(i % ROWS));

/** Queries are multiplied by `factor`; heads treated without a shift are `near`, all, or all but one sample's. */
interface Case {
  causal?: boolean;
  mask?: Float32Array;
  factor?: number;
  near?: number;
}
const ALL = BATCH * HEADS;
const CASES: Case[] = [
  ...[{ near: ALL }, { causal: true }, { mask: padded, near: ALL - HEADS }, { causal: true, mask: padded }],
  ...[{ mask: pierced, near: ALL }, { factor: 12 }, { mask: pierced, factor: -12 }],
];

async function run(): Promise<Float32Array[]> {
  const results: Float32Array[] = [];
  for (const { causal = false, mask, factor = 1 } of CASES) {
    const [q, k, v, w] = values.map((x, i) =>
      tf.tensor3d(i === 0 ? x.map((value) => value * factor) : x, [BATCH, ROWS, HEADS * WIDTH])
    ) as [
      ...[Tensor3D, Tensor3D, Tensor3D, Tensor3D],
    ];
    const keyMask = mask && tf.tensor(mask, [BATCH, ROWS]) as Tensor2D;
    const options = { heads: HEADS, causal, ...(keyMask ? { keyMask } : {}) };
    const made = [
      attention(q, k, v, options),
      ...tf.grads((...t) => tf.sum(tf.mul(attention(...t as [Tensor3D, Tensor3D, Tensor3D], options), w)))([q, k, v]),
    ];
    for (const t of made) results.push(await t.data() as Float32Array);
    tf.dispose([q, k, v, w, ...made, ...(keyMask ? [keyMask] : [])]);
  }
  return results;
}

await selectBackend({ backend: "cpu" });
const expected = await run();
const { adapter } = await selectBackend({ backend: "wasm", wasm: { blas: Deno.args[0]!, threads: 1 } });
const backend = tf.engine().findBackend("wasm") as unknown as WasmBackend;
const blas = wasmKernels(backend).blas!;
let [calls, exps, sumsOf] = [0, 0, 0];
const { sgemm, sums, exponentials } = blas;
blas.sgemm = (...args) => {
  calls++;
  sgemm(...args);
};
blas.sums = (...args) => {
  sumsOf++;
  sums(...args);
};
if (exponentials) {
  const exp: typeof exponentials.exp = (...args) => {
    exps++;
    exponentials.exp(...args);
  };
  blas.exponentials = { ...exponentials, exp };
}
const alone = await run();
Object.assign(blas, { sgemm, sums, exponentials });
await setThreads(backend, 2);
const together = await run();

let largest = 0;
for (const [r, result] of alone.entries()) {
  const scale = expected[r]!.reduce((top, x) => Math.max(top, Math.abs(x)), 0);
  const { factor = 1 } = CASES[Math.floor(r / 4)]!; // scores are as much greater, and their roundings
  result.forEach((x, i) => largest = Math.max(largest, Math.abs(x - expected[r]![i]!) / scale / Math.abs(factor)));
}
const isSame = together.every((r, i) => r.every((x, j) => x === alone[i]![j]));
// A head's products are 2 forwards, twice as the gradients ask for it, and 5 backwards; its exponentials are asked for once each way. Where
// scores turn out not to be near 0, they are made again.
const near = CASES.reduce((sum, { near = 0 }) => sum + near, 0);
const again = CASES.reduce((sum, { factor = 1 }) => sum + (factor === 1 ? 0 : ALL), 0);
const [times, products] = [ALL * CASES.length, (2 + 2 + 5) * ALL * CASES.length + 3 * again];
console.log(
  JSON.stringify({
    ...{ adapter, largest, calls, products, exps, times, sums: sumsOf, near },
    ...{ isShared: blas.isShared, isSame },
  }),
);
Deno.exit(0);
