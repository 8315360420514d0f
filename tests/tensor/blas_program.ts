/**
 * Run by blas_test.ts: products of many forms, and convolutions, against float64, their largest relative differences printed, and
 * whether workers call the library, too. The permission is given up before, as a notebook may.
 */
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { convolve } from "../../lib/tensor/kernels/conv/api.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import type { Tensor } from "../../lib/tensor/types.ts";
import { type WasmBackend, wasmKernels } from "../../lib/tensor/wasm/module.ts";
import { CONV_CASES, convInputs, convReference } from "./conv_cases.ts";

const { adapter } = await selectBackend({ backend: "wasm", wasm: { blas: Deno.args[0]!, threads: 2 } });
await Deno.permissions.revoke({ name: "ffi" });
const { blas } = wasmKernels(tf.engine().findBackend("wasm") as unknown as WasmBackend);
const isShared = blas?.isShared ?? false;
const packs = blas?.packs !== undefined;
const rng = mulberry32(1);
const random = (shape: number[]): Tensor =>
  tf.tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng() - 0.5), shape);

/** Shapes before the transposition, batches broadcast as tf.matMul does. */
const FORMS: [a: number[], b: number[], transposeA: boolean, transposeB: boolean, bias?: boolean, zeros?: boolean][] = [
  [[130, 70], [70, 90], false, false],
  [[130, 70], [90, 70], false, true],
  [[70, 130], [70, 90], true, false],
  [[70, 130], [90, 70], true, true],
  [[1, 900], [900, 700], false, false],
  [[3, 130, 70], [70, 90], false, false],
  [[3, 130, 70], [3, 70, 90], false, false],
  [[3, 70, 130], [3, 90, 70], true, true],
  [[2, 1, 130, 70], [3, 70, 90], false, false],
  [[130, 70], [70, 90], false, false, true],
  [[2, 130, 70], [1, 90, 70], false, true, true],
  // Large enough to be divided among threads: by rows, columns and matrices.
  [[701, 100], [100, 130], false, false, true],
  [[40, 300], [700, 300], false, true, true],
  [[8, 50, 150], [8, 120, 50], true, true],
  [[2, 1, 150, 70], [3, 70, 130], false, false],
  // Half of the rows are zeros, and left out.
  [[1501, 100], [100, 130], false, false, false, true],
  [[1501, 100], [130, 100], false, true, false, true],
];

let largest = 0;
let repeated = true;
for (const [shapeA, shapeB, transposeA, transposeB, bias, zeros] of FORMS) {
  const used = tf.cast(tf.greater(random([shapeA[0]!, 1]), 0), "float32");
  const [a, b] = [zeros ? tf.mul(random(shapeA), used) : random(shapeA), random(shapeB)];
  const columns = shapeB.at(transposeB ? -2 : -1)!;
  const added = bias ? random([columns]) : undefined;
  const multiply = (): Tensor =>
    added
      ? tf.fused.matMul({ a: a as never, b: b as never, transposeA, transposeB, bias: added })
      : tf.matMul(a, b, transposeA, transposeB);
  const y = multiply();
  const again = multiply();
  const values = await y.data();
  const second = await again.data();
  repeated &&= values.every((value, i) => value === second[i]);
  const expected = await reference(a, b, { transposeA, transposeB, shape: y.shape, added });
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (const [i, value] of values.entries()) largest = Math.max(largest, Math.abs(value - expected[i]!) / scale);
  tf.dispose([a, b, y, again, ...(added ? [added] : [])]);
}
let largestConv = 0;
for (const given of CONV_CASES) {
  const { x, layer, addend } = convInputs(given);
  const values = await convolve(layer, x, { ...given.options, ...(addend ? { addend } : {}) }).data();
  const expected = await convReference(given);
  const scale = Math.max(...expected.map(Math.abs));
  for (const [i, value] of values.entries()) {
    largestConv = Math.max(largestConv, Math.abs(value - expected[i]!) / scale);
  }
}
console.log(JSON.stringify({ adapter, largestConv, products: FORMS.length, largest, repeated, isShared, packs }));

interface Form {
  transposeA: boolean;
  transposeB: boolean;
  shape: number[];
  added: Tensor | undefined;
}

async function reference(a: Tensor, b: Tensor, { transposeA, transposeB, shape, added }: Form): Promise<number[]> {
  const [left, right] = [await a.data(), await b.data()];
  const bias = await added?.data();
  const [m, n] = shape.slice(-2) as [number, number];
  const k = a.shape.at(transposeA ? -2 : -1)!;
  const batch = shape.slice(0, -2);
  const offset = (x: Tensor, index: number): number => {
    const sizes = x.shape.slice(0, -2);
    let [rest, stride, place] = [index, 1, 0];
    for (let d = batch.length - 1, e = sizes.length - 1; e >= 0; d--, e--) {
      const position = rest % batch[d]!;
      rest = Math.floor(rest / batch[d]!);
      if (sizes[e] !== 1) place += position * stride;
      stride *= sizes[e]!;
    }
    return place * x.shape.at(-1)! * x.shape.at(-2)!;
  };
  return Array.from({ length: shape.reduce((x, y) => x * y, 1) }, (_, at) => {
    const [i, j, index] = [Math.floor(at / n) % m, at % n, Math.floor(at / (m * n))];
    const [oa, ob] = [offset(a, index), offset(b, index)];
    let sum = bias?.[j] ?? 0;
    for (let p = 0; p < k; p++) {
      sum += left[oa + (transposeA ? p * m + i : i * k + p)]! * right[ob + (transposeB ? j * k + p : p * n + j)]!;
    }
    return sum;
  });
}
