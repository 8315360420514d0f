import * as tf from "@tensorflow/tfjs";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { infoNce } from "../../lib/losses/info_nce.ts";
import { falseNegativeMask, type Label } from "../../lib/losses/label_mask.ts";
import { l2Normalise } from "../../lib/tensor/kernels/l2_normalise/api.ts";
import { normal } from "../../lib/tensor/init.ts";
import type { Scalar, Tensor2D } from "../../lib/tensor/types.ts";
import { testOnBackends } from "../backends.ts";
import { noLeak } from "../close.ts";

const value = async (x: Scalar): Promise<number> => (await x.data())[0]!;
const scale = (s: number): Scalar => tf.scalar(s) as Scalar;
const unit = (rows: number, name: string): Tensor2D => l2Normalise(normal([rows, 6], 1, 3, name)) as Tensor2D;

Deno.test("falseNegativeMask() removes off-diagonal pairs of identical rows; blank and uncertain count as 0", () => {
  const rows: Label[][] = [[1, null], [1, -1], [0, 1], [null, null]];
  assertEquals([...falseNegativeMask(rows)], [1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
});

Deno.test("falseNegativeMask() refuses rows of other lengths and other values", () => {
  assertThrows(() => falseNegativeMask([[1, 0], [1]]), TypeError, "row 1");
  assertThrows(() => falseNegativeMask([[2 as 1]]), RangeError, "current value is 2");
});

testOnBackends("infoNce() of orthogonal pairs is log(1 + (B - 1) e^-s)", async () => {
  const eye = tf.eye(4) as Tensor2D;
  assertAlmostEquals(await value(infoNce(eye, eye, scale(3))), Math.log(1 + 3 * Math.exp(-3)), 1e-5);
});

testOnBackends("infoNce() stays finite at logits of 1e3 and is 0 when every other pair is masked", async () => {
  const eye = tf.eye(3) as Tensor2D;
  const far = tf.reverse(eye, 0) as Tensor2D;
  // One pair in three still agrees (logits 1000, 0, 0: loss 0); the other two lose 1000 each way.
  assertAlmostEquals(await value(infoNce(eye, far, scale(1000))), 2000 / 3, 1e-2);
  const labels: Label[][] = [[null], [0], [-1]];
  const pairMask = tf.tensor2d(falseNegativeMask(labels), [3, 3]) as Tensor2D;
  assertAlmostEquals(await value(infoNce(unit(3, "a"), unit(3, "b"), scale(10), { pairMask })), 0, 1e-5);
});

testOnBackends("infoNce() is symmetric in images and texts, and a mask of ones changes nothing", async () => {
  const [a, b] = [unit(5, "a"), unit(5, "b")];
  const plain = await value(infoNce(a, b, scale(7)));
  assertAlmostEquals(await value(infoNce(b, a, scale(7))), plain, 1e-5);
  assertAlmostEquals(await value(infoNce(a, b, scale(7), { pairMask: tf.ones([5, 5]) as Tensor2D })), plain, 1e-6);
});

testOnBackends("infoNce() has the gradient that central differences give", async () => {
  const [a, b] = [unit(4, "a"), unit(4, "b")];
  const pairMask = tf.tensor2d([1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [4, 4]) as Tensor2D;
  const f = (x: Tensor2D): Scalar => infoNce(x, b, scale(2), { pairMask });
  const gradient = await tf.grad((x: tf.Tensor) => f(x as Tensor2D))(a).data();
  for (const at of [0, 7, 13, 23]) {
    const bump = (by: number): Tensor2D =>
      tf.add(a, tf.tensor2d(Array.from({ length: 24 }, (_, i) => i === at ? by : 0), [4, 6]));
    const slope = (await value(f(bump(1e-2))) - await value(f(bump(-1e-2)))) / 2e-2;
    assertAlmostEquals(gradient[at]!, slope, 2e-3);
  }
});

testOnBackends("infoNce() refuses features of two shapes and leaks nothing", async () => {
  assertThrows(() => infoNce(unit(3, "a"), unit(4, "b"), scale(1)), TypeError, "[3,6] and [4,6]");
  const [a, b, s] = [unit(3, "a"), unit(3, "b"), scale(1)];
  await noLeak(async () => {
    const loss = infoNce(a, b, s);
    assert(Number.isFinite(await value(loss)));
    loss.dispose();
  });
});
