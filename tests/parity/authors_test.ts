/**
 * Numbers of the authors' own modules, made once (fixtures/authors_card.json), at BiomedCLIP's widths with two layers a
 * tower. On wasm alone: the other backends are compared with it, and with a reference, at sizes they can do.
 */
import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals } from "@std/assert";
import {
  type AceLoraConfig,
  aceLoraModel,
  imageFeatures,
  imageTokens,
  mergeAceLora,
  promptFeatures,
  similarityScale,
  textFeatures,
  textTokens,
  trainableTensors,
} from "../../lib/ace_lora.ts";
import { encodeClasses, minMaxScores } from "../../lib/clip/zero_shot/scores.ts";
import { namedTensors } from "../../lib/tensor/params.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { fit } from "../../lib/train/fit.ts";
import { authorsModel, authorsPairs, CUT, PAPER } from "./authors_model.ts";
import { below, largestDifference, pick, readFixture } from "./fixtures.ts";
import { referenceName } from "./tiny_model.ts";

const golden = await readFixture("authors");

/** Differences are printed under ACE_SHOW_DIFFERENCES. */
const isShown = Deno.env.get("ACE_SHOW_DIFFERENCES") !== undefined;

/** Fails unless every number is within `tolerance` of the authors'. */
async function assertGolden(actual: tf.Tensor, name: string, tolerance: number): Promise<void> {
  const found = await largestDifference(actual, pick(golden, name));
  if (isShown) console.log(`${name}: ${found.toExponential(1)}`);
  assert(found <= tolerance, `${name}: largest absolute difference ${found.toExponential(2)} > ${tolerance}`);
}

const FIRST = [0, 1, 2, 3];

for (
  const [tag, config] of [
    ["all", PAPER],
    // No layer of a two-layer tower is at the authors' "up": the text affinity is then the unmasked logits.
    ["none", { encoders: CUT, hgnn: PAPER.hgnn! }],
  ] as [string, AceLoraConfig][]
) {
  Deno.test(`features and scores equal the authors' modules, LoRA in ${tag} layers`, async () => {
    await selectBackend({ backend: "wasm" });
    const params = mergeAceLora(await authorsModel(config));
    const pairs = authorsPairs();
    const [pixels, ids] = [await pairs.image(FIRST), await pairs.text(FIRST)];
    for (
      const [encoder, { tokens, affinity }] of [
        ["image", imageTokens(params, pixels, config)],
        ["text", textTokens(params, ids, config)],
      ] as const
    ) {
      await assertGolden(tf.squeeze(tf.slice(tokens, [0, 0, 0], [4, 1, 512]), [1]), `${tag}.${encoder}.cls`, 1e-6);
      await assertGolden(affinity!, `${tag}.${encoder}.affinity`, 1e-5);
    }
    const image = imageFeatures(params, pixels, config);
    await assertGolden(image, `${tag}.image.features`, 1e-6);
    await assertGolden(textFeatures(params, ids, config), `${tag}.text.features`, 1e-6);
    const classes = promptFeatures(params, await pairs.text([0, 1, 2, 3, 4, 5]), 2, config);
    await assertGolden(classes, `${tag}.classes`, 1e-6);
    const logits = tf.mul(tf.matMul(image, classes, false, true), similarityScale(params));
    await assertGolden(tf.softmax(logits), `${tag}.scores`, 1e-5);
    if (tag === "none") return;
    const words = await pairs.ids(Array.from({ length: 14 }, (_, c) => [c % 8, (c + 1) % 8]).flat());
    const asked = await encodeClasses(aceLoraModel(config), params, { ids: words, contextLength: 256 }, 2);
    const scores = minMaxScores(await image.data() as Float32Array, asked, 512);
    await assertGolden(tf.tensor2d(scores, [4, 14]), "nih.scores", 1e-4);
  });
}

for (
  const [tag, loss, config] of [
    ["guided", "label-guided", PAPER],
    ["plain", "info-nce", PAPER],
    ["lora_guided", "label-guided", { encoders: CUT, lora: PAPER.lora! }],
  ] as const
) {
  Deno.test(`six training steps under the ${loss} loss equal the authors' modules and torch's AdamW: ${tag}`, async () => {
    await selectBackend({ backend: "wasm" });
    const start = await authorsModel(config);
    const { params, history } = await fit(aceLoraModel(config), start, authorsPairs(), {
      epochs: 3,
      batchSize: 4,
      shuffle: false,
      loss,
    });
    await assertGolden(tf.tensor1d(history.map((step) => step.loss)), `${tag}.losses`, 5e-5);
    const final = below(golden, `${tag}.final.`);
    const leaves = new Map(
      [...trainableTensors(params)].map(([leaf, tensor]) => [referenceName(leaf), { leaf, tensor }]),
    );
    assertEquals([...leaves.keys()].toSorted(), [...final.keys()].toSorted());
    let largest = 0;
    for (const [name, { leaf, tensor }] of leaves) {
      const [before, after] = [await namedTensors(start).get(leaf)!.data(), await tensor.data()];
      const every = Math.max(1, Math.floor(after.length / 64));
      const sample = tf.tensor1d([...after].filter((_, i) => i % every === 0).slice(0, 64));
      largest = Math.max(largest, await largestDifference(sample, final.get(name)!));
      const moved = Math.sqrt([...after].reduce((sum, x, i) => sum + (x - before[i]!) ** 2, 0));
      const expected = pick(golden, `${tag}.moved.${name}`).data[0]!;
      assert(Math.abs(moved - expected) <= 2e-3 * expected, `${name} moved by ${moved}, the authors' by ${expected}`);
    }
    if (isShown) console.log(`${tag} parameters: ${largest.toExponential(1)}`);
    assert(largest <= 5e-6, `largest absolute difference of a parameter ${largest.toExponential(2)}`);
  });
}
