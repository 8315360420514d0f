import { assert, assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { hasZeroRows } from "../../lib/tensor/kernels/matmul/wasm.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import { initWasm } from "../../lib/tensor/wasm/init.ts";
import type { WasmBackend } from "../../lib/tensor/wasm/module.ts";

await initWasm();
await tf.setBackend("wasm");
const rng = mulberry32(1);

function random(shape: number[]): { tensor: tf.Tensor; values: Float32Array } {
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * rng() - 1);
  return { tensor: tf.tensor(values, shape, "float32"), values };
}

/** The greatest error of A B, as a share of the sum of absolute products (the unit rounding errors are measured in). */
function worstError(
  c: ArrayLike<number>,
  a: Float32Array,
  b: Float32Array,
  [m, n, k, ta, tb]: [number, number, number, boolean, boolean],
  bias?: Float32Array,
): number {
  let worst = 0;
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = bias?.[j] ?? 0;
      let size = Math.abs(sum) + 1e-30;
      for (let p = 0; p < k; p++) {
        const product = a[ta ? p * m + i : i * k + p]! * b[tb ? j * k + p : p * n + j]!;
        sum += product;
        size += Math.abs(product);
      }
      worst = Math.max(worst, Math.abs(c[i * n + j]! - sum) / size);
    }
  }
  return worst;
}

const FORMS: readonly [boolean, boolean][] = [[false, false], [false, true], [true, false], [true, true]];
const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 13, 17];

async function assertNaive(m: number, n: number, k: number, ta: boolean, tb: boolean): Promise<void> {
  const a = random(ta ? [k, m] : [m, k]);
  const b = random(tb ? [n, k] : [k, n]);
  const c = tf.matMul(a.tensor, b.tensor, ta, tb);
  const error = worstError(await c.data(), a.values, b.values, [m, n, k, ta, tb]);
  assert(error < 1e-6, `[${m}, ${k}] x [${k}, ${n}], ta=${ta}, tb=${tb}: ${error}`);
  tf.dispose([a.tensor, b.tensor, c]);
}

Deno.test("matMul() on wasm equals the naive product for all small sizes in all transpose forms", async () => {
  const before = tf.memory().numTensors;
  for (const [ta, tb] of FORMS) {
    for (const m of SIZES) {
      for (const n of SIZES) {
        for (const k of [1, 2, 3, 4, 6, 9, 15]) {
          await assertNaive(m, n, k, ta, tb);
        }
      }
    }
  }
  assertEquals(tf.memory().numTensors, before);
});

// Across the blocks (KC 768, MC 64, NC 256, 512 columns of a narrow result, 2048 of a dot product) and their edges.
const LARGE: readonly [number, number, number][] = [
  [130, 9, 769],
  [5, 1030, 300],
  [129, 65, 1536],
  [65, 257, 1537],
  [1, 1025, 513],
  [2, 1, 2050],
  [515, 4, 33],
  [514, 3, 260],
  [1030, 2, 5],
  [4, 514, 2049],
  [9, 1029, 3],
  [50, 50, 16],
];

Deno.test("matMul() on wasm equals the naive product across cache blocks in all transpose forms", async () => {
  for (const [ta, tb] of FORMS) {
    for (const [m, n, k] of LARGE) {
      await assertNaive(m, n, k, ta, tb);
    }
  }
});

Deno.test("matMul() on wasm broadcasts batch dimensions in all transpose forms", async () => {
  const batches: [number[], number[], number[]][] = [
    [[3], [3], [3]],
    [[3], [1], [3]],
    [[1], [3], [3]],
    [[2, 3], [1, 3], [2, 3]],
    [[2, 1], [1, 3], [2, 3]],
    [[2, 2], [2], [2, 2]],
    [[], [4], [4]],
    [[4], [], [4]],
  ];
  const [m, n, k] = [5, 9, 6];
  for (const [batchA, batchB, batch] of batches) {
    for (const [ta, tb] of FORMS) {
      const a = random([...batchA, ...(ta ? [k, m] : [m, k])]);
      const b = random([...batchB, ...(tb ? [n, k] : [k, n])]);
      const c = tf.matMul(a.tensor, b.tensor, ta, tb);
      assertEquals(c.shape, [...batch, m, n]);
      // The reference: both operands expanded by tfjs, one product at a time.
      const fullA = tf.broadcastTo(a.tensor, [...batch, ...a.tensor.shape.slice(-2)]);
      const fullB = tf.broadcastTo(b.tensor, [...batch, ...b.tensor.shape.slice(-2)]);
      const [va, vb, vc] = [await fullA.data(), await fullB.data(), await c.data()] as Float32Array[];
      for (let i = 0; i < c.size / (m * n); i++) {
        const at = (v: Float32Array, size: number): Float32Array => v.subarray(i * size, (i + 1) * size);
        const error = worstError(at(vc!, m * n), at(va!, m * k), at(vb!, n * k), [m, n, k, ta, tb]);
        assert(error < 1e-6, `batches [${batchA}] and [${batchB}], ta=${ta}, tb=${tb}, matrix ${i}: ${error}`);
      }
      tf.dispose([a.tensor, b.tensor, c, fullA, fullB]);
    }
  }
});

Deno.test("matMul() on wasm accepts sizes of zero: no rows, no columns, an empty sum", async () => {
  assertEquals(tf.matMul(tf.zeros([0, 3]), tf.ones([3, 2])).shape, [0, 2]);
  assertEquals(tf.matMul(tf.zeros([2, 3]), tf.ones([3, 0])).shape, [2, 0]);
  assertEquals([...await tf.matMul(tf.zeros([2, 0]), tf.ones([0, 2])).data()], [0, 0, 0, 0]);
  assertEquals([...await tf.matMul(tf.zeros([256, 0]), tf.ones([0, 16])).data()], Array(256 * 16).fill(0)); // all rows zeros
  assertEquals(tf.matMul(tf.zeros([0, 2, 3]), tf.ones([0, 3, 2])).shape, [0, 2, 2]);
});

Deno.test("matMul() on wasm leaves rows of zeros out without a change to any bit, and no NaN with them", async () => {
  for (const [m, k, n] of [[700, 96, 24], [1300, 33, 41], [300, 1500, 100]] as const) {
    for (const share of [0.3, 0.97, 1]) {
      for (const tb of [false, true]) {
        const dense = random([m, k]);
        const b = random(tb ? [n, k] : [k, n]);
        const used = Array.from({ length: m }, () => rng() >= share);
        const sparse = dense.values.map((value, i) => used[Math.floor(i / k)] ? value : i % 2 ? 0 : -0);
        const nan = used.findLastIndex((isUsed) => !isUsed); // one NaN in a row of zeros
        sparse[nan * k + (tb ? 1 : k - 1)] = NaN;
        const [a, whole] = [tf.tensor2d(sparse, [m, k]), tf.matMul(dense.tensor, b.tensor, false, tb)];
        const product = tf.matMul(a, b.tensor, false, tb);
        const [values, expected] = [await product.data(), await whole.data()];
        const rowOf = (v: typeof values, i: number) => v.subarray(i * n, (i + 1) * n);
        for (const [i, isUsed] of used.entries()) {
          const want = i === nan ? Array(n).fill(NaN) : isUsed ? [...rowOf(expected, i)] : Array(n).fill(0);
          assertEquals([...rowOf(values, i)], want, `[${m}, ${k}] x [${k}, ${n}], ${share} zeros, tb=${tb}, row ${i}`);
        }
        tf.dispose([dense.tensor, b.tensor, a, whole, product]);
      }
    }
  }
});

Deno.test("hasZeroRows() is for rows of 0 and -0 that are a third, not for a twentieth, nor for NaN or the smallest numbers", () => {
  const backend = tf.engine().findBackend("wasm") as unknown as WasmBackend;
  for (const [m, k] of [[257, 33], [4096, 64]] as const) {
    const finds = (every: number, rest: number): boolean => {
      const isZero = (i: number): boolean => Math.floor(i / k) % every === 0;
      const values = Float32Array.from(
        { length: m * k },
        (_, i) => isZero(i) ? i % 2 ? 0 : -0 : i % k < k - 1 ? 0 : rest,
      );
      const x = tf.tensor2d(values, [m, k]);
      const found = hasZeroRows(backend, x);
      x.dispose();
      return found;
    };
    assertEquals([3, 20].map((every) => finds(every, 1)), [true, false]);
    assertEquals([NaN, 1e-45, -1e-45].map((rest) => finds(20, rest)), [false, false, false]);
  }
});

Deno.test("fused.matMul() on wasm adds the bias and applies each activation", async () => {
  const a = tf.tensor2d([[1, -2], [3, 4], [-5, 6]]);
  const b = tf.tensor2d([[1, 0, -1], [2, 1, 0.5]]);
  const bias = tf.tensor1d([0.5, -1, 9]);
  const linear = [-2.5, -3, 7, 11.5, 3, 8, 7.5, 5, 17];
  const expected: Record<string, (v: number) => number> = {
    linear: (v) => v,
    relu: (v) => Math.max(v, 0),
    relu6: (v) => Math.min(Math.max(v, 0), 6),
    elu: (v) => v > 0 ? v : Math.expm1(v),
    sigmoid: (v) => 1 / (1 + Math.exp(-v)),
    leakyrelu: (v) => v > 0 ? v : 0.2 * v,
    prelu: (v) => v > 0 ? v : 0.5 * v,
  };
  for (const [activation, f] of Object.entries(expected)) {
    const y = tf.fused.matMul({
      a,
      b,
      bias,
      activation: activation as "relu",
      leakyreluAlpha: 0.2,
      ...(activation === "prelu" ? { preluActivationWeights: tf.tensor2d([[0.5]]) } : {}),
    });
    const values = await y.data();
    linear.forEach((v, i) => assert(Math.abs(values[i]! - f(v)) < 1e-5, `${activation} of ${v}: ${values[i]}`));
  }
});

Deno.test("matMul() on wasm has gradients in all transpose forms", async () => {
  for (const [ta, tb] of FORMS) {
    const [m, n, k] = [5, 6, 7];
    const a = random(ta ? [k, m] : [m, k]);
    const b = random(tb ? [n, k] : [k, n]);
    const [da, db] = tf.grads((x: tf.Tensor, y: tf.Tensor) => tf.matMul(x, y, ta, tb).square().sum().mul(0.5))([
      a.tensor,
      b.tensor,
    ]) as [tf.Tensor, tf.Tensor];
    const loss = (x: Float32Array, y: Float32Array): number => {
      let sum = 0;
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let c = 0;
          for (let p = 0; p < k; p++) c += x[ta ? p * m + i : i * k + p]! * y[tb ? j * k + p : p * n + j]!;
          sum += c * c / 2;
        }
      }
      return sum;
    };
    for (
      const [values, gradient, f] of [
        [a.values, await da.data(), (v: Float32Array) => loss(v, b.values)],
        [b.values, await db.data(), (v: Float32Array) => loss(a.values, v)],
      ] as const
    ) {
      for (let i = 0; i < values.length; i += 5) {
        const shifted = (h: number): Float32Array => values.map((v, at) => at === i ? v + h : v);
        const [up, down] = [shifted(1 / 64), shifted(-1 / 64)];
        const difference = (f(up) - f(down)) / (up[i]! - down[i]!);
        assert(Math.abs(difference - gradient[i]!) < 1e-3, `ta=${ta} tb=${tb} ${i}: ${difference} ${gradient[i]}`);
      }
    }
  }
});

Deno.test("matMul() on wasm is right before and after tfjs's memory grows", async () => {
  const memory = (tf.backend() as unknown as { wasm: { asm: { memory: WebAssembly.Memory } } }).wasm.asm.memory;
  const a = random([33, 40]);
  const b = random([40, 21]);
  const first = tf.matMul(a.tensor, b.tensor);
  const size = memory.buffer.byteLength;
  const large = tf.zeros([Math.ceil(size / 4)]);
  assert(memory.buffer.byteLength > size);
  const second = tf.matMul(a.tensor, b.tensor);
  const error = worstError(await second.data(), a.values, b.values, [33, 21, 40, false, false]);
  assert(error < 1e-6, `${error}`);
  assertEquals(await first.data(), await second.data());
  tf.dispose([a.tensor, b.tensor, first, large, second]);
});
