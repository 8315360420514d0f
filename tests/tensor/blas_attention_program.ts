/**
 * Run by blas_test.ts: attention and its gradients with the products of each head by a library, beside float64's; whether one
 * thread and two give the same bits.
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
const mask = Float32Array.from({ length: BATCH * ROWS }, (_, i) => Number(i % ROWS < 90 && i >= ROWS)); // none of the first's
const CASES = [{}, { causal: true }, { mask }, { causal: true, mask }];

async function run(): Promise<Float32Array[]> {
  const results: Float32Array[] = [];
  for (const { causal = false, mask } of CASES as { causal?: boolean; mask?: Float32Array }[]) {
    const [q, k, v, w] = values.map((x) => tf.tensor3d(x, [BATCH, ROWS, HEADS * WIDTH])) as [
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
let [calls, exps] = [0, 0];
const { sgemm, exp } = blas;
blas.sgemm = (...args) => {
  calls++;
  sgemm(...args);
};
if (exp) {
  blas.exp = (...args) => {
    exps++;
    exp(...args);
  };
}
const alone = await run();
Object.assign(blas, { sgemm, exp });
await setThreads(backend, 2);
const together = await run();

let largest = 0;
for (const [r, result] of alone.entries()) {
  const scale = expected[r]!.reduce((top, x) => Math.max(top, Math.abs(x)), 0);
  result.forEach((x, i) => largest = Math.max(largest, Math.abs(x - expected[r]![i]!) / scale));
}
const isSame = together.every((r, i) => r.every((x, j) => x === alone[i]![j]));
// A head's products are 2 forwards and 5 backwards, its exponentials are asked for once each way.
const times = BATCH * HEADS * CASES.length;
console.log(
  JSON.stringify({
    adapter,
    largest,
    calls,
    products: (2 + 2 + 5) * times,
    exps,
    times,
    isShared: blas.isShared,
    isSame,
  }),
);
Deno.exit(0);
