import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { adamwUpdate } from "../../lib/tensor/kernels/adamw/api.ts";
import { attention } from "../../lib/tensor/kernels/attention/api.ts";
import { dropout } from "../../lib/tensor/kernels/dropout/api.ts";
import { gelu } from "../../lib/tensor/kernels/gelu/api.ts";
import { layerNorm, layerNormFork } from "../../lib/tensor/kernels/layer_norm/api.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import { initWasm } from "../../lib/tensor/wasm/init.ts";

await initWasm();

/** Runs a test on each backend, and checks that it leaves no tensor behind. */
function onEach(name: string, fn: () => Promise<void>): void {
  for (const backend of ["cpu", "wasm"]) {
    Deno.test(`${name} (${backend})`, async () => {
      await tf.setBackend(backend);
      const before = tf.memory().numTensors;
      await fn();
      assertEquals(tf.memory().numTensors, before);
    });
  }
}

/** Seeded numbers, float32. */
function numbers(n: number, seed: number, size = 1): Float32Array {
  const rng = mulberry32(seed);
  return Float32Array.from({ length: n }, () => size * (2 * rng() - 1));
}

function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what = ""): void {
  assertEquals(actual.length, expected.length);
  for (let i = 0; i < actual.length; i++) {
    const error = Math.abs(actual[i]! - expected[i]!);
    assert(error <= tolerance, `${what} element ${i}: ${actual[i]} is not ${expected[i]} (error ${error})`);
  }
}

/** The gradient of `loss` by central differences, in float64. */
function differences(loss: (x: Float64Array) => number, x: ArrayLike<number>): Float64Array {
  const at = Float64Array.from(x);
  return at.map((v, i) => {
    const h = 1e-5;
    at[i] = v + h;
    const up = loss(at);
    at[i] = v - h;
    const down = loss(at);
    at[i] = v;
    return (up - down) / (2 * h);
  });
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

// ---- layer normalisation

function referenceLayerNorm(x: ArrayLike<number>, gain: ArrayLike<number>, bias: ArrayLike<number>, epsilon: number) {
  const d = gain.length;
  return Float64Array.from(x, (v, at) => {
    const row = Array.from({ length: d }, (_, j) => x[at - at % d + j]!);
    const mean = row.reduce((a, b) => a + b) / d;
    const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / d;
    return (v - mean) / Math.sqrt(variance + epsilon) * gain[at % d]! + bias[at % d]!;
  });
}

onEach("layerNorm() equals the formula in odd shapes", async () => {
  for (const shape of [[1, 1], [3, 2], [2, 3, 5], [4, 8], [7, 13], [2, 50, 16], [5, 67]]) {
    const d = shape.at(-1)!;
    const [x, gain, bias] = [numbers(shape.reduce((a, b) => a * b), 1, 3), numbers(d, 2), numbers(d, 3)];
    const tensors = [tf.tensor(x, shape), tf.tensor1d(gain), tf.tensor1d(bias)] as const;
    const y = layerNorm(tensors[0], tensors[1], tensors[2], 1e-6);
    assertEquals(y.shape, shape);
    assertClose(await y.data(), referenceLayerNorm(x, gain, bias, 1e-6), 2e-5, `[${shape}]`);
    tf.dispose([...tensors, y]);
  }
});

onEach("layerNorm() of [1, 2, 3, 4] is (x - 2.5) / sqrt(1.25)", async () => {
  const y = tf.tidy(() => layerNorm(tf.tensor1d([1, 2, 3, 4]), tf.ones([4]), tf.zeros([4]), 0));
  assertClose(await y.data(), [-1.3416408, -0.4472136, 0.4472136, 1.3416408], 1e-6);
  y.dispose();
});

onEach("layerNorm() keeps its precision far from zero", async () => {
  const x = Float32Array.from(numbers(64, 4), (v) => 1000 + v);
  const y = tf.tidy(() => layerNorm(tf.tensor1d(x), tf.ones([64]), tf.zeros([64]), 1e-6));
  assertClose(await y.data(), referenceLayerNorm(x, new Float32Array(64).fill(1), new Float32Array(64), 1e-6), 1e-3);
  y.dispose();
});

onEach("layerNorm() has the gradients of its formula", async () => {
  for (const [rows, d] of [[1, 2], [3, 7], [4, 12], [5, 21]] as const) {
    const [x, gain, bias, weight] = [numbers(rows * d, 1, 2), numbers(d, 2), numbers(d, 3), numbers(rows * d, 4)];
    const gradients = tf.tidy(() =>
      tf.grads((x: tf.Tensor, gain: tf.Tensor, bias: tf.Tensor) =>
        layerNorm(x, gain as tf.Tensor1D, bias as tf.Tensor1D, 1e-5).mul(tf.tensor2d(weight, [rows, d])).sum()
      )([tf.tensor2d(x, [rows, d]), tf.tensor1d(gain), tf.tensor1d(bias)])
    );
    const loss = (x: ArrayLike<number>, g: ArrayLike<number>, b: ArrayLike<number>): number =>
      dot(weight, referenceLayerNorm(x, g, b, 1e-5));
    const expected = [
      differences((v) => loss(v, gain, bias), x),
      differences((v) => loss(x, v, bias), gain),
      differences((v) => loss(x, gain, v), bias),
    ];
    for (const [i, g] of gradients.entries()) assertClose(await g.data(), expected[i]!, 2e-4, `input ${i}, D=${d}`);
    tf.dispose(gradients);
  }
});

onEach("layerNormFork() has the bits of layerNorm() beside its input, and of the sum of their gradients", async () => {
  for (const shape of [[1, 2], [3, 7], [2, 5, 12], [9, 21]]) {
    const d = shape.at(-1)!;
    const [gain, bias] = [tf.tensor1d(numbers(d, 2)), tf.tensor1d(numbers(d, 3))];
    const inputs = [numbers(tf.util.sizeFromShape(shape), 1, 2), numbers(tf.util.sizeFromShape(shape), 4)];
    const [x, weight] = inputs.map((values) => tf.tensor(values, shape)) as [tf.Tensor, tf.Tensor];
    const forked = (x: tf.Tensor): tf.Tensor[] => layerNormFork(x, gain, bias, 1e-5);
    const apart = (x: tf.Tensor): tf.Tensor[] => [layerNorm(x, gain, bias, 1e-5), x];
    const [made, expected] = [forked, apart].map((f) =>
      tf.tidy(() => {
        const loss = (x: tf.Tensor): tf.Tensor => {
          const [normed, same] = f(x) as [tf.Tensor, tf.Tensor];
          return tf.add(tf.sum(tf.mul(normed, weight)), tf.sum(tf.square(same)));
        };
        return [...f(x).map((t) => tf.clone(t)), tf.grad(loss)(x)];
      })
    ) as [tf.Tensor[], tf.Tensor[]];
    for (const [i, t] of made.entries()) assertEquals(await t.data(), await expected[i]!.data(), `[${shape}] ${i}`);
    tf.dispose([x, weight, gain, bias, ...made, ...expected]);
  }
});

onEach("layerNorm() computes no gradient of a frozen gain and bias", async () => {
  const [x, gain, bias] = [tf.ones([2, 4]), tf.ones([4]) as tf.Tensor1D, tf.zeros([4]) as tf.Tensor1D];
  const ran: string[] = [];
  const profile = await tf.profile(() => {
    const gradient = tf.grad((x: tf.Tensor) => layerNorm(x, gain, bias, 1e-6).sum())(x);
    return gradient;
  });
  ran.push(...profile.kernelNames);
  assert(ran.includes("AceLayerNormGradX"), ran.join());
  assert(!ran.includes("AceLayerNormGradParams"), ran.join());
  tf.dispose([x, gain, bias, profile.result as tf.Tensor]);
});

// ---- GELU

/** erf by numerical integration (Simpson's rule, 2000 intervals): slow and independent of the library's. */
function erf(x: number): number {
  const n = 2000;
  const h = x / n;
  let sum = 1 + Math.exp(-x * x);
  for (let i = 1; i < n; i++) sum += (i % 2 ? 4 : 2) * Math.exp(-((i * h) ** 2));
  return 2 / Math.sqrt(Math.PI) * sum * h / 3;
}
const referenceGelu = (x: number): number => x * 0.5 * (1 + erf(x / Math.SQRT2));

onEach("gelu() is within 1e-6 of the exact function", async () => {
  const x = Float32Array.from({ length: 1203 }, (_, i) => (i - 601) / 80);
  const y = tf.tidy(() => gelu(tf.tensor1d(x)));
  assertClose(await y.data(), Float64Array.from(x, referenceGelu), 1e-6);
  y.dispose();
});

onEach("gelu() at 0, 1, -1, very large and not a number", async () => {
  const y = tf.tidy(() => gelu(tf.tensor1d([0, 1, -1, 1e30, -1e30, Infinity, NaN])));
  const values = await y.data();
  assertClose(values.slice(0, 3), [0, 0.8413447, -0.1586553], 1e-6);
  assertEquals([values[3], Math.abs(values[4]!), values[5], values[6]], [Math.fround(1e30), 0, Infinity, NaN]);
  y.dispose();
});

onEach("gelu() has the gradient of the exact function, for sizes that are no multiple of 4", async () => {
  for (const n of [1, 2, 3, 5, 402]) {
    const x = Float32Array.from({ length: n }, (_, i) => (i - n / 2) / 30);
    const dy = numbers(n, 5);
    const dx = tf.tidy(() => tf.grad((x: tf.Tensor) => gelu(x).mul(tf.tensor1d(dy)).sum())(tf.tensor1d(x)));
    const slope = (v: number): number =>
      0.5 * (1 + erf(v / Math.SQRT2)) + v * Math.exp(-v * v / 2) / Math.sqrt(2 * Math.PI);
    assertClose(await dx.data(), Float64Array.from(x, (v, i) => dy[i]! * slope(v)), 2e-6);
    dx.dispose();
  }
});

// ---- attention

interface Problem {
  batch: number;
  m: number;
  n: number;
  heads: number;
  w: number;
  scale: number;
  causal: boolean;
  mask?: Float32Array;
  /** Queries whose context the loss reads. @default {all} */
  read?: readonly number[];
}

/** Attention in float64 from the definition, one probability at a time. */
function referenceAttention(p: Problem, q: ArrayLike<number>, k: ArrayLike<number>, v: ArrayLike<number>) {
  const width = p.heads * p.w;
  const out = new Float64Array(p.batch * p.m * width);
  for (let b = 0; b < p.batch; b++) {
    for (let h = 0; h < p.heads; h++) {
      for (let i = 0; i < p.m; i++) {
        const seen = Array.from({ length: p.n }, (_, j) => (p.mask?.[b * p.n + j] ?? 1) !== 0 && (!p.causal || j <= i));
        const none = !seen.includes(true);
        const weights = seen.map((yes, j) => {
          if (none) return 1;
          if (!yes) return 0;
          let s = 0;
          for (let c = 0; c < p.w; c++) {
            s += q[(b * p.m + i) * width + h * p.w + c]! * k[(b * p.n + j) * width + h * p.w + c]!;
          }
          return Math.exp(s * p.scale);
        });
        const total = weights.reduce((a, b) => a + b);
        for (let c = 0; c < p.w; c++) {
          for (let j = 0; j < p.n; j++) {
            out[(b * p.m + i) * width + h * p.w + c]! += weights[j]! / total * v[(b * p.n + j) * width + h * p.w + c]!;
          }
        }
      }
    }
  }
  return out;
}

const someMask = (batch: number, n: number): Float32Array =>
  Float32Array.from({ length: batch * n }, (_, i) => i % n === 0 || (i * 7) % 5 > 1 ? 1 : 0);

/** The first so many keys of each sample. */
const lengthMask = (lengths: readonly number[], n: number): Float32Array =>
  Float32Array.from({ length: lengths.length * n }, (_, i) => i % n < lengths[Math.floor(i / n)]! ? 1 : 0);

const PROBLEMS: Problem[] = [
  { batch: 1, m: 1, n: 1, heads: 1, w: 1, scale: 1, causal: false },
  { batch: 2, m: 3, n: 5, heads: 2, w: 3, scale: 0.7, causal: false },
  { batch: 2, m: 1, n: 9, heads: 3, w: 4, scale: 0.5, causal: false, mask: someMask(2, 9) },
  { batch: 1, m: 6, n: 6, heads: 2, w: 5, scale: 0.4, causal: true },
  { batch: 2, m: 7, n: 7, heads: 1, w: 8, scale: 0.3, causal: true, mask: someMask(2, 7) },
  { batch: 1, m: 5, n: 3, heads: 1, w: 2, scale: 1, causal: true },
  { batch: 2, m: 13, n: 10, heads: 2, w: 9, scale: 0.35, causal: false, mask: someMask(2, 10) },
  // The second sample has no key at all.
  {
    batch: 2,
    m: 4,
    n: 6,
    heads: 2,
    w: 4,
    scale: 0.5,
    causal: false,
    mask: Float32Array.of(1, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0),
  },
  // Padding of several lengths, and queries that nothing reads: of some samples, of all, and causal.
  { batch: 3, m: 5, n: 21, heads: 2, w: 3, scale: 0.5, causal: false, mask: lengthMask([3, 13, 21], 21), read: [0, 3] },
  { batch: 2, m: 9, n: 9, heads: 1, w: 5, scale: 0.5, causal: true, mask: lengthMask([1, 4], 9), read: [2, 8] },
  { batch: 1, m: 3, n: 4, heads: 2, w: 2, scale: 0.5, causal: false, read: [] },
  // The first key is masked, so that the first query has none.
  { batch: 1, m: 3, n: 12, heads: 1, w: 2, scale: 0.5, causal: true, mask: Float32Array.from("010000000000", Number) },
];

function makeAttention(p: Problem) {
  const width = p.heads * p.w;
  const q = numbers(p.batch * p.m * width, 1, 1.5);
  const [k, v] = [numbers(p.batch * p.n * width, 2, 1.5), numbers(p.batch * p.n * width, 3)];
  const tensors = (): [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D] => [
    tf.tensor3d(q, [p.batch, p.m, width]),
    tf.tensor3d(k, [p.batch, p.n, width]),
    tf.tensor3d(v, [p.batch, p.n, width]),
  ];
  const run = (q: tf.Tensor3D, k: tf.Tensor3D, v: tf.Tensor3D, dtype: "float32" | "int32" | "bool" = "float32") =>
    attention(q, k, v, {
      heads: p.heads,
      scale: p.scale,
      causal: p.causal,
      ...(p.mask ? { keyMask: tf.tensor2d([...p.mask], [p.batch, p.n], dtype) } : {}),
    });
  return { q, k, v, tensors, run };
}

onEach("attention() equals its definition: odd sizes, masks, causal, a sample with no key", async () => {
  for (const [at, p] of PROBLEMS.entries()) {
    const { q, k, v, tensors, run } = makeAttention(p);
    const y = tf.tidy(() => run(...tensors()));
    assertEquals(y.shape, [p.batch, p.m, p.heads * p.w]);
    assertClose(await y.data(), referenceAttention(p, q, k, v), 2e-6, `problem ${at}`);
    y.dispose();
  }
});

onEach("attention() takes a mask of float32, int32 or bool alike", async () => {
  const { tensors, run } = makeAttention(PROBLEMS[6]!);
  const results = tf.tidy(() => (["float32", "int32", "bool"] as const).map((dtype) => run(...tensors(), dtype)));
  const [first, second, third] = await Promise.all(results.map((t) => t.data()));
  assertEquals(second, first);
  assertEquals(third, first);
  tf.dispose(results);
});

onEach("attention() does not see masked values at all", async () => {
  const p: Problem = { batch: 1, m: 2, n: 3, heads: 1, w: 2, scale: 1, causal: false, mask: Float32Array.of(1, 0, 1) };
  const { q, k, v, run } = makeAttention(p);
  const contexts = tf.tidy(() =>
    [0, 1e20].map((masked) => {
      const value = v.map((x, i) => i === 2 || i === 3 ? masked : x);
      return run(tf.tensor3d(q, [1, 2, 2]), tf.tensor3d(k, [1, 3, 2]), tf.tensor3d(value, [1, 3, 2]));
    })
  );
  assertEquals(await contexts[0]!.data(), await contexts[1]!.data());
  tf.dispose(contexts);
});

onEach("attention() is stable for scores of a thousand", async () => {
  const y = tf.tidy(() =>
    attention(tf.tensor3d([[[1000]]]), tf.tensor3d([[[1], [0.5], [-1]]]), tf.tensor3d([[[3], [5], [7]]]), {
      heads: 1,
      scale: 1,
    })
  );
  assertClose(await y.data(), [3], 1e-6);
  y.dispose();
});

onEach("attention() has the gradients of its definition", async () => {
  for (const [at, p] of PROBLEMS.entries()) {
    const { q, k, v, tensors, run } = makeAttention(p);
    const rowOf = (i: number): number => Math.floor(i / (p.heads * p.w)) % p.m;
    const weight = numbers(q.length, 4).map((x, i) => p.read?.includes(rowOf(i)) ?? true ? x : 0);
    const gradients = tf.tidy(() =>
      tf.grads((q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) =>
        run(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D)
          .mul(tf.tensor3d(weight, [p.batch, p.m, p.heads * p.w])).sum()
      )(tensors())
    );
    const expected = [
      differences((x) => dot(weight, referenceAttention(p, x, k, v)), q),
      differences((x) => dot(weight, referenceAttention(p, q, x, v)), k),
      differences((x) => dot(weight, referenceAttention(p, q, k, x)), v),
    ];
    for (const [i, g] of gradients.entries()) {
      assertClose(await g.data(), expected[i]!, 1e-5, `problem ${at}, input ${i}`);
    }
    tf.dispose(gradients);
  }
});

onEach("attention() of one tensor as query, key and value adds the three gradients", async () => {
  const p: Problem = { batch: 1, m: 4, n: 4, heads: 2, w: 3, scale: 0.6, causal: false };
  const x = numbers(24, 6);
  const dx = tf.tidy(() =>
    tf.grad((x: tf.Tensor) => {
      const t = x as tf.Tensor3D;
      return attention(t, t, t, { heads: 2, scale: 0.6 }).square().sum();
    })(tf.tensor3d(x, [1, 4, 6]))
  );
  const loss = (v: Float64Array): number => {
    const y = referenceAttention(p, v, v, v);
    return dot(y, y);
  };
  assertClose(await dx.data(), differences(loss, x), 1e-5);
  dx.dispose();
});

// ---- dropout

onEach("dropout() keeps the elements whose hash is large enough, scaled", async () => {
  // fmix32(i * 0x9E3779B1 ^ 7), by arithmetic on big integers.
  const hash = (i: number, seed: number): number => {
    const low = (v: bigint): bigint => v & 0xffffffffn;
    let h = low(BigInt(i) * 0x9e3779b1n) ^ BigInt(seed);
    h = low((h ^ h >> 16n) * 0x85ebca6bn);
    h = low((h ^ h >> 13n) * 0xc2b2ae35n);
    return Number(h ^ h >> 16n);
  };
  for (const [n, rate, seed] of [[1, 0.5, 7], [10, 0.1, 7], [4099, 0.25, 0xfffffffe], [9001, 0.9, 3]] as const) {
    const x = numbers(n, 8);
    const y = tf.tidy(() => dropout(tf.tensor1d(x), { rate, seed }));
    const expected = x.map((v, i) => hash(i, seed) >= rate * 2 ** 32 ? v / (1 - rate) : 0);
    assertClose(await y.data(), expected, 1e-5);
    y.dispose();
  }
});

onEach("dropout() drops the stated share and keeps the mean", async () => {
  const y = tf.tidy(() => dropout(tf.ones([100000]), { rate: 0.1, seed: 5 }));
  const values = await y.data();
  assertAlmostEquals(values.filter((v) => v === 0).length / 1e5, 0.1, 0.004);
  assertAlmostEquals(dot(values, new Float32Array(100000).fill(1e-5)), 1, 0.005);
  y.dispose();
});

onEach("dropout() masks the gradient as it masked the values", async () => {
  const x = tf.ones([501]);
  const y = dropout(x, { rate: 0.3, seed: 11 });
  const dx = tf.grad((x: tf.Tensor) => dropout(x, { rate: 0.3, seed: 11 }).sum())(x);
  assertEquals(await dx.data(), await y.data());
  tf.dispose([x, y, dx]);
});

onEach("dropout() of rate 0 changes nothing; of rate 1 or -0.1 is refused", async () => {
  const x = tf.tensor1d([1, 2, 3]);
  const y = dropout(x, { rate: 0, seed: 1 });
  assertEquals([...await y.data()], [1, 2, 3]);
  for (const rate of [1, -0.1, NaN]) assertThrows(() => dropout(x, { rate, seed: 1 }), RangeError, "[0, 1)");
  tf.dispose([x, y]);
});

// ---- AdamW

onEach("adamwUpdate() follows torch.optim.AdamW's formula over five steps", async () => {
  for (const n of [1, 5, 33]) {
    let state: [tf.Tensor, tf.Tensor, tf.Tensor] = [tf.tensor1d(numbers(n, 1)), tf.zeros([n]), tf.zeros([n])];
    const [p, m, v] = [Float64Array.from(numbers(n, 1)), new Float64Array(n), new Float64Array(n)];
    for (let step = 1; step <= 5; step++) {
      const grad = numbers(n, 10 + step, step === 3 ? 1e-6 : 1);
      const g = tf.tensor1d(grad);
      const next = adamwUpdate({ param: state[0], grad: g, m: state[1], v: state[2] }, { learningRate: 0.01, step });
      tf.dispose([...state, g]);
      state = next;
      for (let i = 0; i < n; i++) {
        p[i]! *= 1 - 0.01 * 0.01;
        m[i] = 0.9 * m[i]! + 0.1 * grad[i]!;
        v[i] = 0.999 * v[i]! + 0.001 * grad[i]! ** 2;
        p[i]! -= 0.01 * (m[i]! / (1 - 0.9 ** step)) / (Math.sqrt(v[i]! / (1 - 0.999 ** step)) + 1e-8);
      }
    }
    assertClose(await state[0].data(), p, 3e-7);
    assertClose(await state[1].data(), m, 1e-7);
    assertClose(await state[2].data(), v, 1e-9);
    tf.dispose(state);
  }
});

onEach("adamwUpdate() moves by the learning rate in the first step, whatever the gradient's size", async () => {
  const [param, m, v] = [tf.zeros([2]), tf.zeros([2]), tf.zeros([2])];
  const grad = tf.tensor1d([1e-3, -50]);
  const next = adamwUpdate({ param, grad, m, v }, { learningRate: 0.1, step: 1, weightDecay: 0 });
  assertClose(await next[0].data(), [-0.1, 0.1], 2e-6);
  tf.dispose([param, m, v, grad, ...next]);
});

// ---- errors

onEach("the fused functions name the shapes they cannot take", () => {
  tf.tidy(() => {
    const [x, g] = [tf.ones([2, 3]), tf.ones([4]) as tf.Tensor1D];
    assertThrows(() => layerNorm(x, g, g, 1e-6), TypeError, "[2,3] and [4]");
    assertThrows(() => gelu(tf.ones([2], "int32")), TypeError, "int32");
    const [q, k] = [tf.ones([1, 2, 6]) as tf.Tensor3D, tf.ones([1, 3, 6]) as tf.Tensor3D];
    assertThrows(() => attention(q, k, q, { heads: 2 }), TypeError, "key and value");
    assertThrows(() => attention(q, k, k, { heads: 4 }), RangeError, "current value is 4");
    const keyMask = tf.ones([1, 2]) as tf.Tensor2D;
    assertThrows(() => attention(q, k, k, { heads: 2, keyMask }), TypeError, "[1,2]");
    assertThrows(
      () => adamwUpdate({ param: x, grad: g, m: x, v: x }, { learningRate: 1, step: 1 }),
      TypeError,
      "grad must have its shape",
    );
    assertThrows(
      () => adamwUpdate({ param: x, grad: x, m: x, v: x }, { learningRate: 1, step: 0 }),
      RangeError,
      "current value is 0",
    );
  });
  return Promise.resolve();
});
