import * as tf from "@tensorflow/tfjs";
import { assert, assertThrows } from "@std/assert";
import { weightedBce } from "../../lib/losses/weighted_bce.ts";
import { gradientsOf } from "../../lib/tensor/gradients.ts";
import type { Tensor1D, Tensor2D } from "../../lib/tensor/types.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose } from "../close.ts";
import reference from "./fixtures/weighted_bce.json" with { type: "json" };

const matrix = (rows: number[][]): Tensor2D => tf.tensor2d(rows) as Tensor2D;
const weights = (): Tensor1D => tf.tensor1d(reference.weights) as Tensor1D;

for (const [name, expected] of Object.entries(reference.cases)) {
  testOnBackends(
    `weightedBce() has the loss and gradient of PyTorch's BCEWithLogitsLoss(pos_weight) (${name})`,
    async () => {
      const logits = matrix(reference.logits);
      const { value, grads } = gradientsOf(() => weightedBce(logits, matrix(expected.targets), weights()), [logits]);
      await assertClose(value, tf.scalar(expected.loss), 1e-5, "loss");
      await assertClose(grads[0]!, matrix(expected.d_logits), 1e-5, "logits");
    },
  );
}

testOnBackends("weightedBce() has the gradient that central differences give", async () => {
  const targets = matrix(reference.cases["some unknown"].targets);
  const lossAt = async (rows: number[][]): Promise<number> =>
    (await weightedBce(matrix(rows), targets, weights()).data())[0]!;
  const step = 1e-2;
  for (const [row, column] of [[0, 0], [1, 0], [2, 1], [4, 1], [2, 2]] as const) {
    const moved = (by: number): number[][] =>
      reference.logits.map((r, i) => r.map((v, j) => i === row && j === column ? v + by : v));
    const slope = (await lossAt(moved(step)) - await lossAt(moved(-step))) / (2 * step);
    const expected = reference.cases["some unknown"].d_logits[row]![column]!;
    assert(Math.abs(slope - expected) < 1e-3, `[${row}, ${column}]: ${slope}, expected ${expected}`);
  }
});

testOnBackends(
  "weightedBce() stays finite at logits of 1e3, is 0 where nothing is known, and refuses other shapes",
  async () => {
    const far = weightedBce(matrix([[1e3, -1e3]]), matrix([[0, 1]]), tf.tensor1d([1, 3]) as Tensor1D);
    await assertClose(far, tf.scalar(2000), 1e-2, "both as wrong as can be, the second weighing three times");
    await assertClose(weightedBce(matrix([[1, 2]]), matrix([[-1, -1]]), tf.tensor1d([1, 3])), tf.scalar(0), 0, "none");
    assertThrows(() => weightedBce(matrix([[1, 2]]), matrix([[1]]), weights()), TypeError, "[1,2], [1,1] and [3]");
  },
);
