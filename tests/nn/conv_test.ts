import * as tf from "@tensorflow/tfjs";
import { assert, assertThrows } from "@std/assert";
import { batchNorm, type BatchStatistics, runningStatistics } from "../../lib/nn/batch_norm.ts";
import { conv2d, type ConvParams, initConv } from "../../lib/nn/conv.ts";
import { upsampleBilinear, upsampleNearest } from "../../lib/nn/upsample.ts";
import { valueAndGradients } from "../../lib/tensor/gradients.ts";
import type { Scalar, Tensor1D, Tensor2D, Tensor4D } from "../../lib/tensor/types.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { testOnBackends } from "../backends.ts";
import { noLeak } from "../close.ts";
import { assertNear, FIXTURE } from "../dense/fixture.ts";

testOnBackends(
  "conv2d() and its gradients agree with torch at strides 1 and 2, odd and even sides, kernels 1 and 3",
  async () => {
    for (const one of FIXTURE.convs) {
      const [, , , channels] = one.shape;
      const params: ConvParams = {
        weight: tf.tensor2d(one.weight, [4, one.kernel * one.kernel * channels]),
        bias: tf.tensor1d(one.bias),
        kernel: one.kernel,
        stride: one.stride,
      };
      const x = tf.tensor4d(one.x, one.shape);
      const label = `stride ${one.stride}, ${one.shape}`;
      const y = conv2d(params, x);
      assert(y.shape.join() === one.yShape.join(), label);
      await assertNear(y, one.y, 1e-5, label);
      const slope = tf.tensor4d(one.slope, one.yShape);
      const { gradients } = valueAndGradients(
        { x, params },
        ["x", "params.weight", "params.bias"],
        () => tf.tidy(() => tf.sum(tf.mul(conv2d(params, x), slope)) as Scalar),
      );
      await assertNear(gradients.get("x")!, one.dx, 1e-5, `dx, ${label}`);
      await assertNear(gradients.get("params.weight")!, one.dWeight, 1e-5, `dWeight, ${label}`);
      await assertNear(gradients.get("params.bias")!, one.dBias, 1e-5, `dBias, ${label}`);
    }
  },
);

testOnBackends(
  "batchNorm() agrees with torch in training and evaluation, its gradients and running averages too",
  async () => {
    const { params, ...one } = FIXTURE.batchNorm;
    const norm = {
      weight: tf.tensor1d(params.weight),
      bias: tf.tensor1d(params.bias),
      mean: tf.tensor1d(params.mean),
      variance: tf.tensor1d(params.variance),
    };
    const x = tf.tensor4d(one.x, [2, 4, 2, 3]);
    await assertNear(batchNorm(norm, x), one.still, 1e-5, "evaluation");
    const statistics: BatchStatistics = new Map();
    const slope = tf.tensor4d(one.slope, [2, 4, 2, 3]);
    const tree = { deep: [{ norm }], x };
    const { gradients } = valueAndGradients(
      tree,
      ["x", "deep.0.norm.weight", "deep.0.norm.bias"],
      () => tf.tidy(() => tf.sum(tf.mul(batchNorm(norm, x, statistics), slope)) as Scalar),
    );
    await assertNear(gradients.get("x")!, one.dx, 1e-5, "dx");
    await assertNear(gradients.get("deep.0.norm.weight")!, one.dWeight, 1e-5, "dWeight");
    await assertNear(gradients.get("deep.0.norm.bias")!, one.dBias, 1e-5, "dBias");
    const running = runningStatistics(tree, statistics);
    await assertNear(running.get("deep.0.norm.mean")!, one.mean, 1e-5, "running mean");
    await assertNear(running.get("deep.0.norm.variance")!, one.variance, 1e-5, "running variance");
  },
);

testOnBackends("upsampleBilinear() and upsampleNearest() agree with torch, corners aligned or not", async () => {
  const x = tf.tensor4d(FIXTURE.upsampling.x, [1, 3, 4, 2]);
  await assertNear(upsampleBilinear(x, { alignCorners: true }), FIXTURE.upsampling.aligned, 1e-5, "aligned");
  await assertNear(upsampleBilinear(x), FIXTURE.upsampling.plain, 1e-5, "not aligned");
  await assertNear(upsampleNearest(x), FIXTURE.upsampling.nearest, 1e-6, "nearest");
});

Deno.test("conv2d() of several images is that of each alone, and leaves no tensor behind, gradients included", async () => {
  await selectBackend({ backend: "wasm" });
  await noLeak(async () => {
    const params = initConv({ input: 5, output: 2 }, 1, "several");
    const x = tf.randomNormal([3, 7, 6, 5], 0, 1, "float32", 5) as Tensor4D;
    const parts = [0, 1, 2].map((i) => tf.tidy(() => conv2d(params, tf.slice(x, [i, 0, 0, 0], [1, -1, -1, -1]))));
    const together = conv2d(params, x);
    const apart = tf.concat(parts, 0);
    await assertNear(together, [...await apart.data()], 1e-6, "several");
    const { value, gradients } = valueAndGradients(
      { x, params },
      ["x", "params.weight"],
      () => tf.tidy(() => tf.sum(conv2d(params, x)) as Scalar),
    );
    tf.dispose([value, ...gradients.values()]);
    tf.dispose([params.weight, params.bias!, x, ...parts, together, apart]);
  });
});

Deno.test("conv2d() names the channels it needs", () => {
  const params: ConvParams = {
    weight: tf.zeros([1, 27]) as Tensor2D,
    bias: tf.zeros([1]) as Tensor1D,
    kernel: 3,
    stride: 1,
  };
  assertThrows(
    () => conv2d(params, tf.zeros([1, 2, 2, 4]) as Tensor4D),
    TypeError,
    "must have 3 channels: current shape is [1,2,2,4]",
  );
});
