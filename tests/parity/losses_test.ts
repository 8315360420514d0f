import * as tf from "@tensorflow/tfjs";
import { assertEquals } from "@std/assert";
import { infoNce } from "../../lib/losses/info_nce.ts";
import { falseNegativeMask, type Label } from "../../lib/losses/label_mask.ts";
import { testOnBackends } from "../backends.ts";
import { assertParity, labelRows, pick, readFixture, toTensor } from "./fixtures.ts";

const cases = await readFixture("cases");

Deno.test("falseNegativeMask() removes the pairs that PyTorch removes", () => {
  assertEquals([...falseNegativeMask(labelRows(cases))], [...pick(cases, "labels.keep").data]);
});

const identical = Array.from({ length: 6 }, (): Label[] => [1, null]);
const distinct = Array.from({ length: 6 }, (_, i): Label[] => Array.from({ length: 6 }, (_, j) => i === j ? 1 : 0));
const masks = { plain: undefined, guided: labelRows(cases), identical, distinct };

for (const [name, labels] of Object.entries(masks)) {
  testOnBackends(`infoNce() matches PyTorch with gradients of features and scale, ${name}`, async () => {
    const options = labels ? { pairMask: tf.tensor2d(falseNegativeMask(labels), [6, 6]) } : {};
    const inputs = ["image", "text", "scale"].map((key) => toTensor(cases, `info_nce.${key}`));
    const { value, grads } = tf.valueAndGrads((image, text, scale) =>
      infoNce(image as tf.Tensor2D, text as tf.Tensor2D, scale as tf.Scalar, options)
    )(inputs);
    await assertParity(value, pick(cases, `info_nce.${name}.loss`), { name: "loss" });
    for (const [i, key] of ["image", "text", "scale"].entries()) {
      await assertParity(grads[i]!, pick(cases, `info_nce.${name}.grad.${key}`), { name: `gradient of ${key}` });
    }
  });
}

testOnBackends("infoNce() of one pair is 0, as PyTorch has it", async () => {
  const row = (key: string): tf.Tensor2D =>
    tf.slice(toTensor(cases, `info_nce.${key}`) as tf.Tensor2D, [0, 0], [1, -1]);
  const value = infoNce(row("image"), row("text"), toTensor(cases, "info_nce.scale") as tf.Scalar);
  await assertParity(value, pick(cases, "info_nce.one_pair.loss"), { tolerance: 1e-5 });
});
