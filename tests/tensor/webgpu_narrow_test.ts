import { assert, assertEquals, assertRejects } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { loadClip } from "../../lib/clip/load.ts";
import { encodeImage } from "../../lib/clip/towers/image.ts";
import { fusedLinear } from "../../lib/tensor/kernels/linear/api.ts";
import { narrowed } from "../../lib/tensor/kernels/narrow/api.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import type { Tensor2D, Tensor4D } from "../../lib/tensor/types.ts";
import type { WebgpuBackend } from "../../lib/tensor/webgpu/backend.ts";
import { assertNear, gpuTest, randoms, tensor } from "./webgpu_support.ts";

/** A number rounded to float16. */
const rounded = (values: ArrayLike<number>): Float64Array => Float64Array.from(values, (x) => Math.f16round(x));

gpuTest("narrowed() takes half the bytes and reads back as rounded to float16", async () => {
  const values = randoms(64 * 12, 1, 3);
  values.set([0, -0, 1e-8, 65504, -1 / 3], 0);
  const x = tensor(values, [64, 12]);
  const narrow = await narrowed(x);
  const { resource } = (tf.backend() as unknown as WebgpuBackend).tensorMap.get(narrow.dataId);
  assertEquals((resource as GPUBuffer).size, 64 * 12 * 2);
  await assertNear(tf.add(narrow, 0), rounded(values), 0); // another program's input, widened
  assertEquals(Float64Array.from(await narrow.data()), rounded(values));
  tf.dispose([x, narrow]);
});

gpuTest("products with a narrowed matrix equal float64 with the rounded one, both forms, split or not", async () => {
  for (const [m, k, n] of [[5, 8, 12], [70, 600, 8], [3, 7, 8]] as const) {
    for (const transposed of [true, false]) {
      const [a, b] = [randoms(m * k, 1), randoms(n * k, 2)];
      const [ta, tb] = [tensor(a, [m, k]) as Tensor2D, tensor(b, transposed ? [n, k] : [k, n]) as Tensor2D];
      const half = await narrowed(tb);
      const exact = rounded(b);
      const want = new Float64Array(m * n);
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          for (let p = 0; p < k; p++) want[i * n + j]! += a[i * k + p]! * exact[transposed ? j * k + p : p * n + j]!;
        }
      }
      await assertNear(tf.matMul(ta, half, false, transposed), want, 1e-6 * Math.sqrt(k) + 1e-6, `${[m, k, n]}`);
      if (transposed) await assertNear(fusedLinear(ta, { weight: half }), want, 1e-6 * Math.sqrt(k) + 1e-6);
      tf.dispose([ta, tb, half]);
    }
  }
});

gpuTest("narrowed() refuses what float16 has not", async () => {
  const [large, odd] = [tensor([1, 2, 70000, 4], [4]), tensor([1, 2, 3], [3])];
  await assertRejects(() => narrowed(large), RangeError, "must be at most 65504: current value is 70000 (place 2)");
  await assertRejects(() => narrowed(odd), TypeError, "must be a multiple of four: current number is 3");
  tf.dispose([large, odd]);
});

gpuTest("loadClip() with narrow gives the mini model's features to three digits", async () => {
  const [wide, narrow] = [await loadClip(), await loadClip({}, { narrow: true })];
  const { imageSize } = wide.config.vision;
  const pixels = tensor(randoms(imageSize ** 2 * 3, 1), [1, imageSize, imageSize, 3]) as Tensor4D;
  const features = async ({ params, config }: typeof wide): Promise<Float32Array> => {
    const { tokens } = encodeImage(params, pixels, config, { clsOnly: true });
    const values = await tokens.data() as Float32Array;
    tokens.dispose();
    return values;
  };
  const [want, got] = [await features(wide), await features(narrow)];
  const norm = Math.hypot(...want);
  const off = Math.hypot(...want.map((value, i) => value - got[i]!)) / norm;
  assert(off > 0 && off < 2e-3, `${off}`);
  disposeParams(wide.params);
  disposeParams(narrow.params);
  pixels.dispose();
});
