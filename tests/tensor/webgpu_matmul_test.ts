import { assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import type { WebgpuBackend } from "../../lib/tensor/webgpu/backend.ts";
import { batchAxes } from "../../lib/tensor/kernels/matmul/webgpu.ts";
import { MATMUL_TILES, type MatMulPlan, planMatMul } from "../../lib/tensor/kernels/matmul/webgpu_plan.ts";
import type { MatMulCall } from "../../lib/tensor/kernels/matmul/webgpu_operand.ts";
import { addPartsProgram, matMulProgram } from "../../lib/tensor/kernels/matmul/webgpu_program.ts";
import { dispatchCount, runProgram, spreadWorkgroups } from "../../lib/tensor/webgpu/run.ts";
import { assertNear, gpuTest, randoms, tensor } from "./webgpu_support.ts";

const FORMS = [[false, false], [false, true], [true, false], [true, true]] as const;

/** `[m, k] x [k, n]` in float64; an operand that is transposed is stored so. */
function product(
  a: Float64Array,
  b: Float64Array,
  call: { m: number; n: number; k: number; transposeA: boolean; transposeB: boolean; atA?: number; atB?: number },
): Float64Array {
  const { m, n, k, atA = 0, atB = 0 } = call;
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let t = 0; t < k; t++) {
      const left = a[atA + (call.transposeA ? t * m + i : i * k + t)]!;
      for (let j = 0; j < n; j++) out[i * n + j]! += left * b[atB + (call.transposeB ? j * k + t : t * n + j)]!;
    }
  }
  return out;
}

function stored(rows: number, columns: number, transposed: boolean): [number, number] {
  return transposed ? [columns, rows] : [rows, columns];
}

/** Sums of k products of normal numbers in float32 against float64. */
const toleranceOf = (k: number) => 1e-6 * Math.sqrt(k) + 1e-6;

for (const [m, n, k] of [[1, 1, 1], [5, 3, 7], [65, 33, 17], [197, 40, 36], [4, 130, 520], [130, 4, 520]] as const) {
  for (const [transposeA, transposeB] of FORMS) {
    gpuTest(`matMul() of ${m}x${k}x${n} equals float64, transposed ${transposeA} ${transposeB}`, async () => {
      const [a, b] = [randoms(m * k, 1), randoms(k * n, 2)];
      const want = product(a, b, { m, n, k, transposeA, transposeB });
      const ta = tensor(a, stored(m, k, transposeA)) as tf.Tensor2D;
      const tb = tensor(b, stored(k, n, transposeB)) as tf.Tensor2D;
      const count = dispatchCount();
      const got = tf.matMul(ta, tb, transposeA, transposeB);
      assertEquals(dispatchCount() - count, k > 512 ? 2 : 1);
      assertEquals(got.shape, [m, n]);
      await assertNear(got, want, toleranceOf(k));
      tf.dispose([ta, tb]);
    });
  }
}

for (const [name, tile] of Object.entries(MATMUL_TILES)) {
  gpuTest(`matMulProgram() with the tile ${name} equals float64 in four forms and in parts`, async () => {
    const backend = tf.backend() as unknown as WebgpuBackend;
    const needed = name === "big" ? 18432 : 16384;
    if (backend.device.limits.maxComputeWorkgroupStorageSize < needed) return;
    const [tall, wide] = [tile.threadsY * tile.rows, tile.threadsX * tile.columns];
    for (const [transposeA, transposeB] of FORMS) {
      for (const odd of [0, 1]) {
        const shape = { batch: 1, m: tall + 4 + odd, n: wide + 4 + odd, k: 44 + odd };
        const { m, n, k } = shape;
        const call: MatMulCall = {
          shape,
          transposeA,
          transposeB,
          axes: batchAxes([], [])!,
          bias: false,
          activation: "linear",
        };
        const [a, b] = [randoms(m * k, 3), randoms(k * n, 4)];
        const want = product(a, b, { m, n, k, transposeA, transposeB });
        const [ta, tb] = [tensor(a, [m * k]), tensor(b, [k * n])];
        for (const splitDepth of [k, 16]) {
          const splits = Math.ceil(k / splitDepth);
          const plan: MatMulPlan = {
            tile,
            tilesM: Math.ceil(m / tall),
            tilesN: Math.ceil(n / wide),
            splits,
            splitDepth,
          };
          const parts = backend.makeTensorInfo([splits * m * n], "float32");
          runProgram(backend, matMulProgram(call, plan), { inputs: [ta, tb], outputs: [parts] });
          let sums = parts;
          if (splits > 1) {
            sums = backend.makeTensorInfo([m * n], "float32");
            runProgram(backend, addPartsProgram(call, splits), { inputs: [parts], outputs: [sums] });
            backend.disposeData(parts.dataId);
          }
          const got = tf.engine().makeTensorFromTensorInfo(sums);
          await assertNear(got, want, toleranceOf(k), `${transposeA} ${transposeB} odd ${odd} splits ${splits}`);
        }
        tf.dispose([ta, tb]);
      }
    }
  });
}

for (
  const [outerA, outerB] of [[[3], [3]], [[3], []], [[], [2]], [[2, 3], [3]], [[2, 1, 2], [1, 3, 1]]] as const
) {
  gpuTest(`matMul() broadcasts batches [${outerA}] and [${outerB}] in four forms`, async () => {
    const [m, n, k] = [6, 5, 9];
    for (const [transposeA, transposeB] of FORMS) {
      const sizeA = outerA.reduce((p: number, s) => p * s, 1);
      const sizeB = outerB.reduce((p: number, s) => p * s, 1);
      const [a, b] = [randoms(sizeA * m * k, 5), randoms(sizeB * k * n, 6)];
      const ta = tensor(a, [...outerA, ...stored(m, k, transposeA)]);
      const tb = tensor(b, [...outerB, ...stored(k, n, transposeB)]);
      const got = tf.matMul(ta, tb, transposeA, transposeB);
      const outer = tf.broadcast_util.assertAndGetBroadcastShape([...outerA], [...outerB]);
      assertEquals(got.shape, [...outer, m, n]);
      const indicesA = await broadcastIndices([...outerA], outer);
      const indicesB = await broadcastIndices([...outerB], outer);
      const want = indicesA.flatMap((
        at,
        i,
      ) => [...product(a, b, { m, n, k, transposeA, transposeB, atA: at * m * k, atB: indicesB[i]! * k * n })]);
      await assertNear(got, want, toleranceOf(k), `${transposeA} ${transposeB}`);
      tf.dispose([ta, tb]);
    }
  });
}

/** Which matrix of an operand each matrix of the result uses. */
function broadcastIndices(outer: number[], target: number[]): Promise<number[]> {
  const size = outer.reduce((p, s) => p * s, 1);
  const indices = tf.tidy(() => tf.range(0, size, 1, "int32").reshape(outer).add(tf.zeros(target, "int32")));
  return indices.data().then((values) => {
    indices.dispose();
    return [...values];
  });
}

gpuTest("matMul() gives the same bits twice when the sums are split", async () => {
  const a = tensor(randoms(600 * 16, 8), [600, 16]) as tf.Tensor2D;
  const b = tensor(randoms(600 * 4, 9), [600, 4]) as tf.Tensor2D;
  const once = tf.matMul(a, b, true, false);
  const twice = tf.matMul(a, b, true, false);
  assertEquals(await once.data(), await twice.data());
  tf.dispose([a, b, once, twice]);
});

gpuTest("fused.matMul() adds the bias and applies relu, split or not; elu goes to tfjs", async () => {
  for (const k of [8, 600]) {
    for (const activation of ["linear", "relu", "elu"] as const) {
      const [a, b, bias] = [randoms(6 * k, 1), randoms(k * 8, 2), randoms(8, 3)];
      const [ta, tb] = [tensor(a, [6, k]) as tf.Tensor2D, tensor(b, [k, 8]) as tf.Tensor2D];
      const tbias = tensor(bias, [8]);
      const got = tf.fused.matMul({ a: ta, b: tb, bias: tbias, activation });
      const want = product(a, b, { m: 6, n: 8, k, transposeA: false, transposeB: false })
        .map((sum, i) => sum + bias[i % 8]!)
        .map((x) => x > 0 || activation === "linear" ? x : activation === "relu" ? 0 : Math.exp(x) - 1);
      await assertNear(got, want, toleranceOf(k), `${k} ${activation}`);
      tf.dispose([ta, tb, tbias]);
    }
  }
});

gpuTest("matMul() has tfjs's gradients", async () => {
  const a = tensor(randoms(12, 1), [3, 4]) as tf.Tensor2D;
  const b = tensor(randoms(20, 2), [5, 4]) as tf.Tensor2D;
  const grads = tf.grads((x, y) => tf.matMul(x as tf.Tensor2D, y as tf.Tensor2D, false, true).sum());
  const [da, db] = grads([a, b]);
  const [av, bv] = [await a.data(), await b.data()];
  await assertNear(
    da!,
    Array.from({ length: 12 }, (_, i) => [0, 1, 2, 3, 4].reduce((s, r) => s + bv[r * 4 + i % 4]!, 0)),
    1e-6,
  );
  await assertNear(
    db!,
    Array.from({ length: 20 }, (_, i) => [0, 1, 2].reduce((s, r) => s + av[r * 4 + i % 4]!, 0)),
    1e-6,
  );
  tf.dispose([a, b]);
});

const H200_LIKE = { maxComputeWorkgroupStorageSize: 49152, maxStorageBufferBindingSize: 2 ** 31 };

Deno.test("planMatMul() takes 128 x 128 tiles for a ViT's linear layers and splits a LoRA's gradient", () => {
  const linear = planMatMul({ batch: 1, m: 64 * 197, n: 768, k: 768 }, H200_LIKE);
  assertEquals(linear, { tile: MATMUL_TILES.big, tilesM: 99, tilesN: 6, splits: 1, splitDepth: 768 });
  const lora = planMatMul({ batch: 1, m: 768, n: 4, k: 64 * 197 }, H200_LIKE);
  assertEquals(lora.tile, MATMUL_TILES.fourColumns);
  assertEquals(lora.tilesM * lora.tilesN * lora.splits >= 250, true);
  const down = planMatMul({ batch: 1, m: 4, n: 768, k: 64 * 197 }, H200_LIKE);
  assertEquals(down.tile, MATMUL_TILES.fourRows);
  assertEquals(down.splits > 50, true);
});

Deno.test("planMatMul() needs at most 16 KiB of workgroup memory on a device that has no more", () => {
  const plan = planMatMul({ batch: 1, m: 4096, n: 4096, k: 64 }, {
    ...H200_LIKE,
    maxComputeWorkgroupStorageSize: 16384,
  });
  assertEquals(plan.tile, MATMUL_TILES.bigIn16KiB);
});

Deno.test("planMatMul() covers every term exactly once, whatever the sizes", () => {
  for (const [m, n, k] of [[1, 1, 1], [4, 4, 5000], [64, 64, 513], [768, 4, 12608], [17, 300, 129]] as const) {
    const plan = planMatMul({ batch: 1, m, n, k }, H200_LIKE);
    assertEquals((plan.splits - 1) * plan.splitDepth < k && plan.splits * plan.splitDepth >= k, true, `${m} ${n} ${k}`);
    assertEquals(plan.splitDepth % plan.tile.depth, 0);
  }
});

Deno.test("spreadWorkgroups() keeps every dimension within 65535", () => {
  assertEquals(spreadWorkgroups(65535, 65535), [65535, 1, 1]);
  const [x, y] = spreadWorkgroups(65536 * 3, 65535);
  assertEquals(x <= 65535 && y <= 65535 && x * y >= 65536 * 3, true);
});
