import { assertEquals } from "@std/assert";
import { dispatchCount } from "../../lib/tensor/webgpu/run.ts";
import type { Tensor } from "../../lib/tensor/types.ts";
import { assertNear, gpuTest, randoms, run, tensor } from "./webgpu_support.ts";

/** Normal distribution function in float64, by the integral's series (|x| < 7) or its limits. */
function phi(x: number): number {
  if (x > 7) return 1;
  if (x < -7) return x < -38 ? 0 : density(x) / -x * (1 - 1 / (x * x) + 3 / x ** 4 - 15 / x ** 6);
  let term = x, total = x;
  for (let k = 1; k < 300; k++) {
    term *= x * x / (2 * k + 1);
    total += term;
  }
  return 0.5 + total * density(x);
}

function density(x: number): number {
  return Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
}

const EDGES = [0, -0, 1e-30, -1e-30, 1, -1, 0.5, -0.5, 3, -3, 5.5, -5.5, 8, -8, 12, -12, 100, -100, 1e4, -1e4];

for (const length of [1, 3, 96, 768, 1031]) {
  gpuTest(`AceGelu and AceGeluGrad equal float64 within 1e-6 on ${length} numbers`, async () => {
    const x = randoms(length, length, 2.5);
    EDGES.slice(0, length).forEach((edge, i) => x[i] = Math.fround(edge));
    const dy = randoms(length, length + 1, 0.5);
    const [tx, tdy] = [tensor(x, [length]), tensor(dy, [length])];
    const count = dispatchCount();
    const [y] = run("AceGelu", { x: tx });
    const [dx] = run("AceGeluGrad", { dy: tdy, x: tx });
    assertEquals(dispatchCount() - count, 2);
    await assertNear(y!, x.map((v) => v * phi(v)), 1e-6, "y");
    await assertNear(dx!, x.map((v, i) => dy[i]! * (phi(v) + v * density(v))), 1e-6, "dx");
    tx.dispose();
    tdy.dispose();
  });
}

/** The documented hash, in JavaScript's 32-bit arithmetic. */
function hash(index: number, seed: number): number {
  let h = Math.imul(index, 0x9E3779B1) ^ seed;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

for (const [length, rate] of [[1, 0.5], [96, 0.1], [4099, 0.25], [4100, 0.9], [64, 0]] as const) {
  gpuTest(`AceDropout keeps the hashed elements of ${length} at rate ${rate}`, async () => {
    const x = randoms(length, 7);
    const seed = 0xdeadbeef;
    const tx = tensor(x, [length]);
    const [y] = run("AceDropout", { x: tx }, { rate, seed });
    const want = x.map((v, i) => hash(i, seed) >= rate * 2 ** 32 ? v / (1 - rate) : 0);
    const kept = want.reduce((sum, v) => sum + (v !== 0 ? 1 : 0), 0) / length;
    if (length > 4000) assertEquals(Math.abs(kept - (1 - rate)) < 0.03, true, `kept ${kept}`);
    await assertNear(y!, want, 1e-6);
    tx.dispose();
  });
}

for (const length of [1, 3, 768]) {
  gpuTest(`AceAdamw takes torch's steps on ${length} numbers`, async () => {
    const attrs = { learningRate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 };
    const start = randoms(length, 1);
    const p = Float64Array.from(start);
    const m = new Float64Array(length);
    const v = new Float64Array(length);
    let state: Tensor[] = [tensor(p, [length]), tensor(m, [length]), tensor(v, [length])];
    for (let step = 1; step <= 3; step++) {
      const g = randoms(length, step + 10);
      const grad = tensor(g, [length]);
      const next = run("AceAdamw", { param: state[0]!, grad, m: state[1]!, v: state[2]! }, { ...attrs, step });
      for (const t of [...state, grad]) t.dispose();
      state = next;
      for (let i = 0; i < length; i++) {
        p[i]! *= 1 - attrs.learningRate * attrs.weightDecay;
        m[i] = attrs.beta1 * m[i]! + (1 - attrs.beta1) * g[i]!;
        v[i] = attrs.beta2 * v[i]! + (1 - attrs.beta2) * g[i]! ** 2;
        const root = Math.sqrt(v[i]!) / Math.sqrt(1 - attrs.beta2 ** step) + attrs.epsilon;
        p[i]! -= attrs.learningRate / (1 - attrs.beta1 ** step) * m[i]! / root;
      }
    }
    await assertNear(state[0]!, p, 2e-6, "param");
    await assertNear(state[1]!, m, 1e-6, "m");
    await assertNear(state[2]!, v, 1e-6, "v");
  });
}
