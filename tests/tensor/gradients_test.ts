import { assert, assertEquals, assertThrows } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { recomputed } from "../../lib/nn/recompute.ts";
import { gradientsOf, recordGradients, valueAndGradients } from "../../lib/tensor/gradients.ts";
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

testOnBackends(
  "recordGradients() has valueAndGradients()'s bits after other work between, and leaves nothing behind",
  async () => {
    const tree = { x: tf.tensor1d([0.5, 1, 2]), unused: tf.tensor1d([1, 1]) };
    const before = tf.memory().numTensors;
    const names = ["x", "unused"];
    const expected = valueAndGradients(tree, names, () => chain(tree.x, false));
    const tape = recordGradients(tree, names, () => chain(tree.x, false));
    await tape.back; // a turn of the event loop, and another gradient
    const between = valueAndGradients(tree, ["x"], () => tf.tidy(() => tf.sum(gelu(tree.x))));
    const gradients = tape.back();
    for (const [name, gradient] of expected.gradients) {
      assertEquals(await gradients.get(name)!.data(), await gradient.data(), name);
    }
    assert((await gradients.get("x")!.data()).every((value) => value !== 0));
    tf.dispose([
      ...gradients.values(),
      ...[expected, between].flatMap((one) => [one.value, ...one.gradients.values()]),
    ]);
    tape.dispose();
    assertEquals(tf.memory().numTensors, before, "taken");
    recordGradients(tree, names, () => chain(tree.x, false)).dispose();
    assertEquals(tf.memory().numTensors, before, "given up");
    assertThrows(() => recordGradients(tree, names, () => chain(tree.x, true)), RangeError, "stop");
    const late = recordGradients(tree, ["x"], () => tf.tidy(() => failingBackwards(gelu(tree.x)) as Scalar));
    assertThrows(() => late.back(), RangeError, "stop");
    assertEquals(tf.memory().numTensors, before, "failed");
    tf.dispose(tree);
  },
);
