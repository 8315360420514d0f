import * as tf from "@tensorflow/tfjs";
import { assert, assertThrows } from "@std/assert";
import { sigmoidLoss } from "../../lib/losses/sigmoid.ts";
import { gradientsOf } from "../../lib/tensor/gradients.ts";
import type { Scalar, Tensor2D } from "../../lib/tensor/types.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose } from "../close.ts";
import reference from "./fixtures/sigmoid.json" with { type: "json" };

const matrix = (rows: number[][]): Tensor2D => tf.tensor2d(rows) as Tensor2D;

for (const [name, expected] of Object.entries(reference.cases)) {
  testOnBackends(`sigmoidLoss() has PyTorch's loss and gradients (${name} pairs)`, async () => {
    const [image, text] = [matrix(reference.inputs.image), matrix(reference.inputs.text)];
    const [scale, bias] = [tf.scalar(reference.inputs.scale), tf.scalar(reference.inputs.bias)] as [Scalar, Scalar];
    const pairMask = matrix(expected.mask);
    const { value, grads } = gradientsOf(
      () => sigmoidLoss({ image, text }, { scale, bias }, { pairMask }),
      [image, text, scale, bias],
    );
    await assertClose(value, tf.scalar(expected.loss), 1e-5, "loss");
    await assertClose(grads[0]!, matrix(expected.d_image), 1e-5, "image");
    await assertClose(grads[1]!, matrix(expected.d_text), 1e-5, "text");
    await assertClose(grads[2]!, tf.scalar(expected.d_scale), 1e-5, "scale");
    await assertClose(grads[3]!, tf.scalar(expected.d_bias), 1e-5, "bias");
  });
}

testOnBackends("sigmoidLoss() has the gradient that central differences give", async () => {
  const { image, text, scale, bias } = reference.inputs;
  const lossAt = async (rows: number[][]): Promise<number> => {
    const similarity = { scale: tf.scalar(scale) as Scalar, bias: tf.scalar(bias) as Scalar };
    return (await sigmoidLoss({ image: matrix(rows), text: matrix(text) }, similarity).data())[0]!;
  };
  const step = 1e-2;
  for (const [row, column] of [[0, 0], [1, 2], [3, 1]] as const) {
    const moved = (by: number): number[][] =>
      image.map((r, i) => r.map((v, j) => i === row && j === column ? v + by : v));
    const slope = (await lossAt(moved(step)) - await lossAt(moved(-step))) / (2 * step);
    const expected = reference.cases.all.d_image[row]![column]!;
    assert(Math.abs(slope - expected) < 2e-2, `[${row}, ${column}]: ${slope}, expected ${expected}`);
  }
});

testOnBackends("sigmoidLoss() keeps the diagonal whatever the mask, and stays finite at logits of 1e3", async () => {
  const rows = matrix([[1, 0], [0, 1]]);
  const none = tf.zeros([2, 2]) as Tensor2D;
  const at = (scale: number, bias: number) => ({ scale: tf.scalar(scale) as Scalar, bias: tf.scalar(bias) as Scalar });
  const loss = sigmoidLoss({ image: rows, text: rows }, at(2, 0), { pairMask: none });
  await assertClose(loss, tf.scalar(Math.log1p(Math.exp(-2))), 1e-6, "two positives, halved");
  const far = sigmoidLoss({ image: rows, text: tf.neg(rows) as Tensor2D }, at(1000, 0));
  await assertClose(far, tf.scalar(1000 + Math.log(2)), 1e-2, "two positives at -1000, two negatives at 0");
  assertThrows(() => sigmoidLoss({ image: rows, text: matrix([[1, 0]]) }, at(1, 0)), TypeError, "[2,2] and [1,2]");
});
