import { assertEquals, assertThrows } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { recomputed } from "../../lib/nn/recompute.ts";
import { gradientsOf } from "../../lib/tensor/gradients.ts";
import { gelu } from "../../lib/tensor/kernels/gelu/api.ts";
import type { Scalar, Tensor } from "../../lib/tensor/types.ts";
import { testOnBackends } from "../backends.ts";

/** A chain of kernels that keep what they need for their gradients, which throws at the end where it is told to. */
function chain(x: Tensor, failing: boolean): Scalar {
  return tf.tidy(() => {
    let y = x;
    for (let i = 0; i < 20; i++) y = gelu(tf.mul(y, x));
    if (failing) throw new RangeError("stop");
    return tf.sum(y);
  });
}

/** The sum of a tensor, whose gradient throws. */
const failingBackwards = tf.customGrad((x) => ({
  value: tf.sum(x as Tensor),
  gradFunc: () => {
    throw new RangeError("stop");
  },
}));

testOnBackends("gradientsOf() leaves nothing behind where the forward or the backward pass throws", async () => {
  const x = tf.tensor1d([0.5, 1, 2]);
  const before = tf.memory().numTensors;
  assertThrows(() => gradientsOf(() => chain(x, true), [x]), RangeError, "stop");
  assertEquals(tf.memory().numTensors, before, "forward");
  const backwards = (t: Tensor): Scalar => tf.tidy(() => failingBackwards(gelu(tf.mul(t, t))) as Scalar);
  assertThrows(() => gradientsOf(() => backwards(x), [x]), RangeError, "stop");
  assertEquals(tf.memory().numTensors, before, "backward");
  const again = (): Scalar => tf.tidy(() => tf.sum(recomputed<Tensor>({ x, constants: [], leaves: [], f: backwards })));
  assertThrows(() => gradientsOf(again, [x]), RangeError, "stop");
  assertEquals(tf.memory().numTensors, before, "inside a recomputed part");
  const { value, grads } = gradientsOf(() => chain(x, false), [x]);
  assertEquals(grads.length, 1);
  assertEquals((await value.data()).length, 1);
  tf.dispose([value, grads[0]!, x]);
});
