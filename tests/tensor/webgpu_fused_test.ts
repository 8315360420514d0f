import { assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { attention } from "../../lib/tensor/kernels/attention/api.ts";
import { dropout } from "../../lib/tensor/kernels/dropout/api.ts";
import { gelu } from "../../lib/tensor/kernels/gelu/api.ts";
import { layerNorm } from "../../lib/tensor/kernels/layer_norm/api.ts";
import { packTensors } from "../../lib/tensor/kernels/pack/api.ts";
import { assertNear, gpuTest, randoms, tensor } from "./webgpu_support.ts";

/** A small transformer block's loss and gradients on the current backend, all fused functions in it. */
async function block(masked: boolean): Promise<Float32Array[]> {
  const [batch, tokens, width] = [2, 7, 12];
  const x = tensor(randoms(batch * tokens * width, 1), [batch, tokens, width]);
  const gain = tensor(randoms(width, 2), [width]);
  const bias = tensor(randoms(width, 3), [width]);
  const weights = [4, 5, 6].map((seed) => tensor(randoms(width * width, seed, 0.4), [width, width]));
  const keyMask = tensor([1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1], [batch, tokens]) as tf.Tensor2D;
  const loss = (...all: tf.Tensor[]) => {
    const [input, g, b, wq, wk, wv] = all as [tf.Tensor3D, tf.Tensor1D, tf.Tensor1D, ...tf.Tensor2D[]];
    const normed = layerNorm(input, g, b, 1e-6);
    const rows = normed.reshape([batch * tokens, width]) as tf.Tensor2D;
    const [q, k, v] = [wq!, wk!, wv!].map((w) =>
      tf.matMul(rows, w, false, true).reshape([batch, tokens, width]) as tf.Tensor3D
    );
    const context = attention(q!, k!, v!, masked ? { heads: 3, keyMask } : { heads: 3 });
    return gelu(dropout(tf.add(input, context), { rate: 0.2, seed: 9 })).square().sum() as tf.Scalar;
  };
  const inputs = [x, gain, bias, ...weights];
  const { value, grads } = tf.valueAndGrads(loss)(inputs);
  const values = await Promise.all([value, ...grads].map((t) => t.data() as Promise<Float32Array>));
  tf.dispose([value, ...grads, ...inputs, keyMask]);
  return values;
}

for (const masked of [false, true]) {
  gpuTest(`a block of fused functions has the loss and gradients of the cpu backend, mask ${masked}`, async () => {
    await tf.setBackend("cpu");
    const want = await block(masked);
    await tf.setBackend("webgpu");
    const got = await block(masked);
    assertEquals(got.length, want.length);
    // float32 on both sides: sums that cancel are wrong by some 1e-6 of their largest terms, here of the largest result.
    for (let i = 0; i < want.length; i++) {
      const largest = want[i]!.reduce((top, x) => Math.max(top, Math.abs(x)), 1);
      const scaled = (values: Float32Array) => values.map((x) => x / largest);
      await assertNear(tensor(scaled(got[i]!), [got[i]!.length]), scaled(want[i]!), 5e-6, `output ${i}`);
    }
  });
}

gpuTest(
  "cast() to float32 gives numbers, also to kernels that read floats, of integers and of what was computed",
  async () => {
    const whole = tf.tensor2d([[1, 0], [0, 3]], [2, 2], "int32");
    const results = tf.tidy(() => {
      const uploaded = tf.add(whole, tf.scalar(1, "int32")); // on the device alone
      const truth = tf.greater(whole, tf.scalar(0, "int32"));
      return [whole, uploaded, truth].map((x) => packTensors([x.toFloat()]).clone());
    });
    assertEquals(await Promise.all(results.map(async (x) => [...await x.data()])), [[1, 0, 0, 3], [2, 1, 1, 4], [
      1,
      0,
      0,
      1,
    ]]);
    tf.dispose([whole, ...results]);
  },
);
