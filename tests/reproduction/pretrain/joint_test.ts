/** The joint recipe: its loss, its batches, what it changes. */
import { assert, assertAlmostEquals, assertEquals, assertNotEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { MINI } from "../../../lib/clip/architectures.ts";
import { loadMiniParams, loadMiniTokenizer } from "../../../lib/clip/mini.ts";
import { initClip } from "../../../lib/clip/params.ts";
import { jointSource, jointStage, pretrainJoint } from "../../../lib/reproduction/pretrain/joint.ts";
import { JOINT, type JointSettings } from "../../../lib/reproduction/pretrain/settings.ts";
import { selectBackend } from "../../../lib/tensor/backend.ts";
import { disposeParams, namedTensors } from "../../../lib/tensor/params.ts";
import type { Tensor2D } from "../../../lib/tensor/types.ts";
import { noLeak } from "../../close.ts";

await selectBackend({ backend: "wasm" });

const SMALL: JointSettings = { ...JOINT, imageSteps: 2, batchSize: 8, chestShare: 0.75 };
const WIDTH = 2 * MINI.embedding + MINI.vision.width;

/** The loss of random features whose last numbers, those of the CLS token before the projection, are `rows`. */
async function lossOf(rows: Tensor2D, twinWeight: number): Promise<number> {
  const params = initClip(MINI, 1);
  const loss = tf.tidy(() => {
    const image = tf.concat([tf.randomNormal([8, 2 * MINI.embedding], 0, 0.1, "float32", 1), rows], 1) as Tensor2D;
    const text = tf.randomNormal([8, WIDTH], 0, 0.1, "float32", 2) as Tensor2D;
    return jointStage({ ...SMALL, twinWeight }).loss(params, { image, text });
  });
  const [value] = await loss.data();
  loss.dispose();
  disposeParams(params);
  return value!;
}

Deno.test("jointStage() adds nothing for twins that are alike, and the weight for twins as far apart as strangers", async () => {
  await noLeak(async () => {
    const D = MINI.vision.width;
    const alike = tf.tidy(() =>
      tf.gather(tf.randomNormal([4, D], 3, 2, "float32", 3), [0, 0, 1, 1, 2, 2, 3, 3])
    ) as Tensor2D;
    // Twins are rows 2k and 2k + 1 of the six radiographs; opposite values are 4 variances apart, strangers 2.
    const opposite = tf.tidy(() => tf.mul(tf.ones([8, D]), [[1], [-1], [1], [-1], [1], [-1], [1], [-1]])) as Tensor2D;
    const strangers = tf.randomNormal([8, D], 3, 2, "float32", 5) as Tensor2D;
    const added = async (rows: Tensor2D): Promise<number> => (await lossOf(rows, 10) - await lossOf(rows, 0)) / 10;
    assertAlmostEquals(await added(alike), 0, 1e-5);
    assertAlmostEquals(await added(opposite), 2, 1e-4);
    // Independent rows: expectation 6 / 5, as the variance is that of 6 rows about their own mean.
    assertAlmostEquals(await added(strangers), 1.2, 0.15);
    tf.dispose([alike, opposite, strangers]);
  });
});

Deno.test("jointSource() gives twins side by side, then other modalities, each with both captions", async () => {
  const tokenizer = await loadMiniTokenizer();
  const source = jointSource(SMALL, tokenizer);
  assertEquals([source.size, source.contextLength], [16, 2 * SMALL.captionLength]);
  const indices = [8, 9, 10, 11, 12, 13, 14, 15];
  const labels = await source.labels!(indices);
  assertEquals(labels.map(([chest]) => chest), [1, 1, 1, 1, 1, 1, 0, 0]);
  const ids = await source.ids(indices);
  const rows = indices.map((_, i) =>
    [0, 1].map((half) => [...ids.slice((2 * i + half) * 24, (2 * i + half + 1) * 24)])
  );
  for (const [coarse, plain] of rows.slice(0, 6)) assertNotEquals(coarse, plain);
  for (const [coarse, plain] of rows.slice(6)) assertEquals(coarse, plain);
  assertEquals(await source.ids(indices), ids, "the same each time");
  assertEquals((await source.pixels([8, 9])).length, 2 * 64 * 64 * 3);
});

Deno.test("pretrainJoint() trains image tower, text head and scale, and leaves the text's trunk as it was", async () => {
  const shipped = await loadMiniParams();
  const tokenizer = await loadMiniTokenizer();
  await noLeak(async () => {
    const { params, history } = await pretrainJoint(tokenizer, shipped.text, SMALL);
    assertEquals(history.length, 2);
    const before = namedTensors({ text: shipped.text }), after = namedTensors(params);
    for (const [name, tensor] of before) {
      assertEquals(after.get(name) === tensor, name.startsWith("text.trunk."), name);
    }
    for (const value of history) assert(Number.isFinite(value.loss));
    disposeParams(params, { text: shipped.text });
  });
  disposeParams(shipped);
});
