import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { aceLoraModel, initAceLora } from "../../lib/ace_lora.ts";
import { initClip } from "../../lib/clip/params.ts";
import { CHEST_TEMPLATES, promptTexts } from "../../lib/clip/zero_shot/prompts.ts";
import {
  classifyZeroShot,
  type encodeImages,
  minMaxScores,
  sigmoidScores,
  zeroShotScores,
} from "../../lib/clip/zero_shot/scores.ts";
import { encode, tokenizerFromVocab } from "../../lib/text/tokenizer.ts";
import { testOnBackends } from "../backends.ts";
import { noLeak } from "../close.ts";
import { SMALL, SMALL_ACE, smallPixels } from "../small_model.ts";

async function source(count: number): Promise<Parameters<typeof encodeImages>[2]> {
  const tensor = smallPixels(count);
  const data = await tensor.data() as Float32Array;
  tensor.dispose();
  const size = 16 * 16 * 3;
  return {
    size: count,
    imageSize: 16,
    pixels: (indices) => {
      const out = new Float32Array(indices.length * size);
      indices.forEach((index, i) => out.set(data.subarray(index * size, (index + 1) * size), i * size));
      return Promise.resolve(out);
    },
  };
}

Deno.test("promptTexts() asks every template of every class, class by class", () => {
  assertEquals(promptTexts(["edema", "No Finding"]), [
    "a chest X-ray image of edema.",
    "Findings suggesting edema.",
    "a chest X-ray image of No Finding.",
    "Findings suggesting No Finding.",
  ]);
  assertThrows(() => promptTexts(["edema"], ["an image"]), SyntaxError, '"an image"');
  assertThrows(() => promptTexts([]), RangeError);
});

Deno.test("zeroShotScores() is the softmax of scaled cosines, at any scale", () => {
  const images = new Float32Array([1, 0, 0, 1]);
  const classes = new Float32Array([1, 0, 0, 1, -1, 0]);
  const scores = zeroShotScores(images, classes, 2, 2);
  const total = Math.exp(2) + 1 + Math.exp(-2);
  assertAlmostEquals(scores[0]!, Math.exp(2) / total, 1e-6);
  assertAlmostEquals(scores[2]!, Math.exp(-2) / total, 1e-6);
  assertAlmostEquals(scores[4]!, Math.exp(2) / (Math.exp(2) + 2), 1e-6);
  assert(zeroShotScores(images, classes, 1e4, 2).every(Number.isFinite));
});

Deno.test("sigmoidScores() asks each pair on its own, at any scale", () => {
  const images = new Float32Array([1, 0, 0, 1]);
  const classes = new Float32Array([1, 0, 0, 1, -1, 0]);
  const scores = sigmoidScores(images, classes, { scale: 2, bias: -1 }, 2);
  const expected = [1, -1, -3, -1, 1, -1].map((logit) => 1 / (1 + Math.exp(-logit)));
  expected.forEach((value, i) => assertAlmostEquals(scores[i]!, value, 1e-6));
  assert(sigmoidScores(images, classes, { scale: 1e4, bias: -10 }, 2).every(Number.isFinite));
});

Deno.test("minMaxScores() stretches exp(cosine) of each image from its lowest class to its highest", () => {
  const images = new Float32Array([1, 0, 0.6, 0.8]);
  const classes = new Float32Array([1, 0, 0, 1, -1, 0]);
  const scores = minMaxScores(images, classes, 2);
  const [high, mid, low] = [Math.E, 1, 1 / Math.E];
  assertEquals([scores[0], scores[2]], [1, 0]);
  assertAlmostEquals(scores[1]!, (mid - low) / (high - low), 1e-7);
  assertAlmostEquals(
    scores[3]!,
    (Math.exp(0.6) - Math.exp(-0.6)) / (Math.exp(0.8) - Math.exp(-0.6)),
    1e-6,
  );
  assertEquals([...minMaxScores(new Float32Array([0, 0]), classes, 2)], [0, 0, 0]);
});

testOnBackends("classifyZeroShot() does not depend on the batch size and leaks nothing", async () => {
  const base = initClip(SMALL, 1);
  const params = await initAceLora(base, SMALL_ACE);
  const vocabulary = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "a",
    "chest",
    "x",
    "ray",
    "image",
    "of",
    "findings",
    "suggesting",
    ".",
    "edema",
    "normal",
  ];
  const tokenizer = tokenizerFromVocab(vocabulary);
  const prompts = (classes: string[]) => ({
    ids: encode(tokenizer, promptTexts(classes), { contextLength: 10 }),
    contextLength: 10,
    prompts: CHEST_TEMPLATES.length,
  });
  const model = aceLoraModel(SMALL_ACE);
  await noLeak(async () => {
    const images = await source(5);
    const whole = await classifyZeroShot(model, params, images, prompts(["edema", "normal"]), { batchSize: 5 });
    const parts = await classifyZeroShot(model, params, images, prompts(["edema", "normal"]), { batchSize: 2 });
    assertEquals(whole.length, 10);
    whole.forEach((score, i) => assertAlmostEquals(score, parts[i]!, 1e-5));
    for (let i = 0; i < 10; i += 2) assertAlmostEquals(whole[i]! + whole[i + 1]!, 1, 1e-5);
    const stretched = await classifyZeroShot(model, params, images, prompts(["edema", "normal"]), { score: "min-max" });
    for (let i = 0; i < 10; i += 2) {
      const isFirst = whole[i]! > whole[i + 1]!;
      assertEquals([...stretched.slice(i, i + 2)], isFirst ? [1, 0] : [0, 1]);
    }
    // A class whose name tokenises to nothing still gives finite scores: its prompts are the templates alone.
    const empty = await classifyZeroShot(model, params, images, prompts(["", "\u200b"]), { batchSize: 5 });
    assert(empty.every(Number.isFinite));
    for (const score of empty) assertAlmostEquals(score, 0.5, 1e-5);
  });
});
