/** Maps: gradients against finite differences, occlusion by hand, laws of similarity, deletion and pointing. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { type AceLoraConfig, imageFeatures, initAceLora } from "../../../lib/ace_lora.ts";
import { initClip } from "../../../lib/clip/params.ts";
import { faithfulness, meanFaithfulness, randomMap } from "../../../lib/eval/maps/faithfulness.ts";
import { cover, gatedCosine, gateGradients, labelMaps, MAP_KINDS } from "../../../lib/eval/maps/maps.ts";
import type { MapModel } from "../../../lib/eval/maps/model.ts";
import { patchesIn, pointingHit, seenBox } from "../../../lib/eval/maps/pointing.ts";
import { mapSentence } from "../../../lib/eval/maps/show.ts";
import { encodeImage } from "../../../lib/clip/towers/image.ts";
import { aceHgnnDense } from "../../../lib/hypergraph/ace_hgnn.ts";
import { l2Normalise } from "../../../lib/tensor/kernels/l2_normalise/api.ts";
import type { Tensor2D, Tensor4D } from "../../../lib/tensor/types.ts";
import { testOnBackends } from "../../backends.ts";
import { SMALL, SMALL_ACE, smallPixels } from "../../small_model.ts";

const PLAIN: AceLoraConfig = { encoders: SMALL, learnScale: false };
const SIDE = SMALL.vision.imageSize / SMALL.vision.patchSize;

/** The small model, with two seeded labels; its cosines are those of its own features. */
async function openSmall(config: AceLoraConfig): Promise<MapModel> {
  const base = initClip(SMALL, 3);
  const merged = await initAceLora(base, config, { seed: 4 });
  const labels = l2Normalise(tf.randomNormal([2, SMALL.embedding], 0, 1, "float32", 7) as Tensor2D) as Tensor2D;
  const cosines = async (pixels: Float32Array): Promise<Float32Array> => {
    const size = SMALL.vision.imageSize;
    const values = tf.tidy(() => {
      const images = tf.tensor4d(pixels, [pixels.length / (size * size * 3), size, size, 3]) as Tensor4D;
      return tf.matMul(imageFeatures(merged, images, config), labels, false, true);
    });
    const data = await values.data() as Float32Array;
    values.dispose();
    return data;
  };
  return { merged, config, labels, side: SIDE, cosines, probabilities: cosines, close: () => {} };
}

async function smallImage(): Promise<Float32Array> {
  const pixels = smallPixels(1);
  const data = await pixels.data() as Float32Array;
  pixels.dispose();
  return data;
}

for (const [name, config] of [["with ACE-HGNN", SMALL_ACE], ["without", PLAIN]] as const) {
  testOnBackends(`gateGradients() equal central differences of the gate, ${name}`, async () => {
    const model = await openSmall(config);
    const tokens = SIDE * SIDE + 1;
    const image = smallPixels(1);
    const shape: [number, number, number, number] = [1, SMALL.vision.heads, tokens, tokens];
    const gate = tf.ones(shape) as Tensor4D;
    const gradients = gateGradients(model, image, gate);
    for (const c of [0, 1]) {
      const label = tf.slice(model.labels, [c, 0], [1, SMALL.embedding]);
      const values = await gradients[c]!.data();
      const at = async (place: number, value: number): Promise<number> => {
        const moved = new Float32Array(gate.size).fill(1);
        moved[place] = value;
        const cosine = gatedCosine(model, { image, gate: tf.tensor4d(moved, shape) as Tensor4D, label });
        return (await cosine.data())[0]!;
      };
      assert(values.some((value) => Math.abs(value) > 2e-3), "gradients that could not fail");
      // CLS to a patch, in either head, and a patch to another, which reaches the answer through ACE-HGNN alone.
      for (const place of [3, tokens * tokens + 5, 4 * tokens + 6]) {
        const difference = (await at(place, 1.05) - await at(place, 0.95)) / 0.1;
        assertAlmostEquals(values[place]!, difference, 5e-5, `${c} at ${place}`);
      }
    }
    // A gate of ones is the model itself.
    const own = await model.cosines(await image.data() as Float32Array);
    const cosine = gatedCosine(model, { image, gate, label: tf.slice(model.labels, [0, 0], [1, SMALL.embedding]) });
    assertAlmostEquals((await cosine.data())[0]!, own[0]!, 1e-5);
  });

  testOnBackends(
    `labelMaps() give a finite number a patch and label, leak nothing, and gradients are not negative, ${name}`,
    async () => {
      const model = await openSmall(config);
      const pixels = await smallImage();
      const before = tf.memory().numTensors;
      for (const kind of MAP_KINDS) {
        const maps = await labelMaps(model, kind, pixels);
        assertEquals(maps.map(({ length }) => length), [SIDE * SIDE, SIDE * SIDE], kind);
        assert(maps.every((map) => map.every(Number.isFinite)), kind);
        assert(new Set(maps[0]).size > 2, kind);
        if (kind === "gradient") assert(maps.every((map) => map.every((value) => value >= 0)));
      }
      assertEquals(tf.memory().numTensors, before);
    },
  );
}

testOnBackends("the nodes that similarity reads have the image's feature as their CLS node", async () => {
  const model = await openSmall(SMALL_ACE);
  const image = smallPixels(1);
  const { tokens, affinity } = encodeImage(model.merged, image, SMALL, { affinity: "logits" });
  const { nodes } = aceHgnnDense(model.merged.hgnn!.image!, l2Normalise(tokens), affinity!, SMALL_ACE.hgnn!.topK);
  const cls = l2Normalise(tf.reshape(tf.slice(nodes, [0, 0, 0], [1, 1, -1]), [1, SMALL.embedding]) as Tensor2D);
  const [got, expected] = [await cls.data(), await imageFeatures(model.merged, image, SMALL_ACE).data()];
  expected.forEach((value, e) => assertAlmostEquals(got[e]!, value, 1e-5));
});

/** A model whose only label is the mean of the red channel over some patches: all can be done by hand. */
function redModel(side: number, patches: readonly number[]): MapModel {
  const encoders = { ...SMALL, vision: { ...SMALL.vision, imageSize: side, patchSize: 1 } };
  const red = (pixels: Float32Array): Promise<Float32Array> =>
    Promise.resolve(
      Float32Array.from(
        { length: pixels.length / (3 * side * side) },
        (_, n) => patches.reduce((sum, p) => sum + pixels[3 * (n * side * side + p)]!, 0) / patches.length,
      ),
    );
  return { config: { encoders }, side, cosines: red, probabilities: red } as unknown as MapModel;
}

Deno.test("occlusion is the mean fall over the windows that cover a patch, by hand", async () => {
  // 3 x 3 pixels of one patch each, red 1 everywhere; the label reads the upper left one, which one of four windows covers.
  const [map] = await labelMaps(redModel(3, [0]), "occlusion", new Float32Array(27).fill(1));
  assertEquals([...map!], [1, 0.5, 0, 0.5, 0.25, 0, 0, 0, 0]);
});

Deno.test("cover() of nothing changes nothing, of all leaves the mean colour, and changes the patch alone", () => {
  const model = { side: SIDE, config: PLAIN };
  const pixels = Float32Array.from({ length: 16 * 16 * 3 }, (_, i) => i + 1);
  assertEquals(cover(model, pixels, []), pixels);
  assert(cover(model, pixels, Array(SIDE * SIDE).keys()).every((value) => value === 0));
  const one = cover(model, pixels, [SIDE + 2]); // rows 4 to 7, columns 8 to 11
  one.forEach((value, i) => {
    const [y, x] = [Math.floor(i / 48), Math.floor(i / 3) % 16];
    assertEquals(value, y >= 4 && y < 8 && x >= 8 && x < 12 ? 0 : pixels[i], `${y}, ${x}`);
  });
});

Deno.test("faithfulness() of a map that knows falls first and rises first; its ends are those of the picture and of nothing", async () => {
  const model = redModel(4, [5, 6]);
  const pixels = new Float32Array(48).fill(1);
  const knowing = Float32Array.from({ length: 16 }, (_, i) => i === 5 || i === 6 ? 1 : 0);
  const good = await faithfulness(model, pixels, knowing, { label: 0 });
  assertEquals(good.shares.length, 17);
  assertEquals(good.deletion.slice(0, 4), [1, 0.5, 0, 0]);
  assertEquals(good.insertion.slice(0, 4), [0, 0.5, 1, 1]);
  assertEquals([good.deletion.at(-1), good.insertion.at(-1)], [0, 1]);
  assertEquals([good.deletionArea, good.insertionArea], [1 / 16, 15 / 16]);
  const bad = await faithfulness(model, pixels, knowing.map((value) => -value), { label: 0 });
  assertEquals([bad.deletionArea, bad.insertionArea], [15 / 16, 1 / 16]);
  const mean = meanFaithfulness([good, bad]);
  assertEquals([mean.deletionArea, mean.insertion[1]], [0.5, 0.25]);
  assertEquals([...randomMap(16, 3)].sort((a, b) => a - b), Array.from({ length: 16 }, (_, i) => i));
});

Deno.test("seenBox() maps a box into what the model sees; patchesIn() and pointingHit() count by centres, ties by share", () => {
  const box = { x: 150, y: 20, width: 50, height: 30 };
  assertEquals(seenBox(box, { width: 300, height: 100 }, "shortest"), { left: 0.5, top: 0.2, right: 1, bottom: 0.5 });
  assertEquals(seenBox(box, { width: 200, height: 100 }, "squash"), { left: 0.75, top: 0.2, right: 1, bottom: 0.5 });
  assertEquals(seenBox(box, { width: 200, height: 100 }, "longest"), {
    left: 0.75,
    top: 0.35,
    right: 1,
    bottom: 0.5,
  });
  const inside = patchesIn([{ left: 0.5, top: 0, right: 1, bottom: 0.5 }], 2);
  assertEquals(inside, [false, true, false, false]);
  assertEquals(pointingHit([0, 3, 1, 2], inside), 1);
  assertEquals(pointingHit([4, 3, 1, 2], inside), 0);
  assertEquals(pointingHit([1, 1, 1, 1], inside), 0.25);
});

Deno.test("mapSentence() says where in the picture, and when nothing stands out", () => {
  const map = Array(9).fill(0);
  assert(mapSentence("similarity", "x", map).includes("No part"));
  assert(mapSentence("similarity", "x", map.with(2, 1)).includes("upper right of the picture"));
  assert(mapSentence("gradient", "x", map.with(4, 1)).includes("in the middle of the picture"));
  assert(mapSentence("occlusion", "x", map.with(6, 1)).includes("lower left"));
  assert(mapSentence("occlusion", "x", map.map((_, i) => -1 - i)).includes("any part"));
});
