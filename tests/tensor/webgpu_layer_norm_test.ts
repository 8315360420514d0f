import { assertEquals } from "@std/assert";
import { dispatchCount } from "../../lib/tensor/webgpu/run.ts";
import { assertNear, gpuTest, randoms, run, tensor } from "./webgpu_support.ts";

const EPSILON = 1e-6;
// float32 sums of up to 768 terms against float64: rounding of the sums, not of the formula.
const TOLERANCE = 2e-5;

function reference(rows: number, depth: number, seed: number) {
  const x = randoms(rows * depth, seed, 3).map((value) => value + 1);
  const dy = randoms(rows * depth, seed + 1);
  const gain = randoms(depth, seed + 2);
  const bias = randoms(depth, seed + 3);
  const y = new Float64Array(rows * depth);
  const dx = new Float64Array(rows * depth);
  const mean = new Float64Array(rows);
  const rstd = new Float64Array(rows);
  const dGain = new Float64Array(depth);
  const dBias = new Float64Array(depth);
  for (let r = 0; r < rows; r++) {
    const at = (i: number) => r * depth + i;
    for (let i = 0; i < depth; i++) mean[r]! += Math.fround(x[at(i)]!) / depth;
    let variance = 0;
    for (let i = 0; i < depth; i++) variance += (Math.fround(x[at(i)]!) - mean[r]!) ** 2 / depth;
    rstd[r] = 1 / Math.sqrt(variance + EPSILON);
    const hat = (i: number) => (Math.fround(x[at(i)]!) - mean[r]!) * rstd[r]!;
    let first = 0, second = 0;
    for (let i = 0; i < depth; i++) {
      y[at(i)] = hat(i) * gain[i]! + bias[i]!;
      first += dy[at(i)]! * gain[i]! / depth;
      second += dy[at(i)]! * gain[i]! * hat(i) / depth;
      dGain[i]! += dy[at(i)]! * hat(i);
      dBias[i]! += dy[at(i)]!;
    }
    for (let i = 0; i < depth; i++) dx[at(i)] = rstd[r]! * (dy[at(i)]! * gain[i]! - first - hat(i) * second);
  }
  return { x, dy, gain, bias, y, dx, mean, rstd, dGain, dBias };
}

for (const [rows, depth] of [[1, 3], [5, 96], [65, 768], [197, 12], [3, 1], [300, 70], [2, 1025]] as const) {
  gpuTest(`AceLayerNorm and its gradients equal float64 on [${rows}, ${depth}]`, async () => {
    const want = reference(rows, depth, rows * 1000 + depth);
    const x = tensor(want.x, [rows, depth]);
    const dy = tensor(want.dy, [rows, depth]);
    const gain = tensor(want.gain, [depth]);
    const bias = tensor(want.bias, [depth]);
    const count = dispatchCount();
    const [y, mean, rstd] = run("AceLayerNorm", { x, gain, bias }, { epsilon: EPSILON });
    const [dx] = run("AceLayerNormGradX", { dy, x, gain, mean: mean!, rstd: rstd! });
    assertEquals(dispatchCount() - count, 2);
    const [dGain, dBias] = run("AceLayerNormGradParams", { dy, x, mean: mean!, rstd: rstd! });
    assertEquals(dispatchCount() - count, rows <= 256 ? 3 : 4);
    const scale = depth === 1 ? 1e3 : 1; // one column: rstd is 1/sqrt(epsilon), which multiplies every rounding
    await assertNear(dx!, want.dx, TOLERANCE * scale, "dx");
    await assertNear(y!, want.y, TOLERANCE * scale, "y");
    await assertNear(mean!, want.mean, TOLERANCE, "mean");
    await assertNear(rstd!, want.rstd, TOLERANCE, "rstd");
    await assertNear(dGain!, want.dGain, TOLERANCE * scale, "dGain");
    await assertNear(dBias!, want.dBias, TOLERANCE, "dBias");
    for (const t of [x, dy, gain, bias]) t.dispose();
  });
}

gpuTest("AceLayerNorm gives empty results for no rows", async () => {
  const [x, gain] = [tensor([], [0, 4]), tensor([1, 1, 1, 1], [4])];
  const [y, mean, rstd] = run("AceLayerNorm", { x, gain, bias: gain }, { epsilon: EPSILON });
  assertEquals([y!.shape, mean!.shape, rstd!.shape], [[0, 4], [0], [0]]);
  assertEquals((await y!.data()).length, 0);
  for (const t of [x, gain, y!, mean!, rstd!]) t.dispose();
});

gpuTest("AceLayerNorm normalises more rows than one dimension of a dispatch has workgroups", async () => {
  const rows = 65540;
  const x = tensor(Float32Array.from({ length: rows * 2 }, (_, i) => i % 2 === 0 ? i : i + 1), [rows, 2]);
  const one = tensor([1, 1], [2]);
  const [y, mean, rstd] = run("AceLayerNorm", { x, gain: one, bias: one }, { epsilon: 0 });
  await assertNear(y!, Array.from({ length: rows * 2 }, (_, i) => i % 2 === 0 ? 0 : 2), 1e-6, "y");
  for (const t of [x, one, mean!, rstd!]) t.dispose();
});
