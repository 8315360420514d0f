import * as tf from "@tensorflow/tfjs";
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { l2Normalise } from "../../lib/tensor/kernels/l2_normalise/api.ts";
import { gaussian, mulberry32 } from "../../lib/tensor/random.ts";
import { initWasm } from "../../lib/tensor/wasm/init.ts";

const next = mulberry32(5);

/** Values and gradient of `sum(c · x / max(|x|, 1e-12))` in float64. */
function expected(rows: number[][], weights: number[][]): { y: number[][]; dx: number[][] } {
  const dot = (a: number[], b: number[]): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
  const y = rows.map((row) => row.map((v) => v / Math.max(Math.sqrt(dot(row, row)), 1e-12)));
  const dx = rows.map((row, r) => {
    const length = Math.max(Math.sqrt(dot(row, row)), 1e-12);
    const along = length > 1e-12 ? dot(y[r]!, weights[r]!) : 0;
    return row.map((_, i) => (weights[r]![i]! - along * y[r]![i]!) / length);
  });
  return { y, dx };
}

for (const width of [1, 3, 8, 12, 513]) {
  Deno.test(`l2Normalise() on wasm has float64's values and gradient, width ${width}, a row of zeros included`, async () => {
    await initWasm({ threads: 1 });
    await tf.setBackend("wasm");
    const make = (scale: number): number[] => Array.from({ length: width }, () => Math.fround(scale * gaussian(next)));
    const rows = [make(1), make(1e3), make(0), make(1e-3), make(1)];
    const weights = rows.map(() => make(1));
    const x = tf.tensor2d(rows, [5, width]);
    const c = tf.tensor2d(weights, [5, width]);
    const before = tf.memory().numTensors;
    const { value, grad } = tf.valueAndGrad((x) => tf.sum(tf.mul(l2Normalise(x), c)))(x);
    const y = l2Normalise(x);
    assertEquals(tf.memory().numTensors, before + 3);
    const [gotY, gotDx] = [await y.data(), await grad.data()];
    const want = expected(rows, weights);
    want.y.flat().forEach((v, i) => assertAlmostEquals(gotY[i]!, v, 1e-6));
    want.dx.flat().forEach((v, i) => assertAlmostEquals(gotDx[i]!, v, 1e-5 * (1 + Math.abs(v))));
    tf.dispose([x, c, y, value, grad]);
  });
}
