import * as tf from "@tensorflow/tfjs";
import { assertEquals } from "@std/assert";
import {
  type AceLoraConfig,
  contrastiveLoss,
  imageFeatures,
  mergeAceLora,
  promptFeatures,
  similarityScale,
  textFeatures,
  trainableTensors,
} from "../../lib/ace_lora.ts";
import { testOnBackends } from "../backends.ts";
import { assertParity, below, pick, readFixture, toTensor } from "./fixtures.ts";
import { gradientsOf, HGNN, loadModel, QKV, referenceName } from "./tiny_model.ts";

const weights = await readFixture("weights");
const cases = await readFixture("cases");

const batch = (): { pixels: tf.Tensor4D; ids: tf.Tensor2D } => ({
  pixels: toTensor(cases, "pixels") as tf.Tensor4D,
  ids: toTensor(cases, "ids") as tf.Tensor2D,
});
const mask = (): { pairMask: tf.Tensor2D } => ({ pairMask: toTensor(cases, "labels.keep").toFloat() as tf.Tensor2D });

const runs: Record<string, Omit<AceLoraConfig, "encoders">> = {
  guided: { lora: QKV, hgnn: HGNN },
  guided_visual: { lora: QKV, hgnn: { ...HGNN, encoders: ["image"] } },
  guided_text: { lora: QKV, hgnn: { ...HGNN, encoders: ["text"] } },
  guided_lora_only: { lora: QKV },
  guided_qkvo: { lora: { ...QKV, targets: ["q", "k", "v", "o"] }, hgnn: HGNN },
  plain: { lora: QKV },
  plain_both: { lora: QKV, hgnn: HGNN },
};

for (const [name, add] of Object.entries(runs)) {
  const options = (): { pairMask?: tf.Tensor2D } => name.startsWith("guided") ? mask() : {};

  testOnBackends(`contrastiveLoss() matches PyTorch, ${name}, unmerged and merged`, async () => {
    const { params, config } = await loadModel(weights, add);
    for (const model of [params, mergeAceLora(params)]) {
      await assertParity(contrastiveLoss(model, batch(), config, options()), pick(cases, `loss.${name}`));
    }
  });

  const expected = below(cases, `grad.${name}.`);
  if (expected.size === 0) continue;
  testOnBackends(
    `contrastiveLoss() in training mode gives PyTorch's gradient of every trainable tensor, ${name}`,
    async () => {
      const { params, config } = await loadModel(weights, add);
      const leaves = trainableTensors(params);
      assertEquals([...leaves.keys()].map(referenceName).toSorted(), [...expected.keys()].toSorted());
      const inputs = batch();
      const how = { ...options(), seed: 1 }; // training mode; every dropout rate is 0
      const { value, gradients } = gradientsOf(params, leaves, (tree) => contrastiveLoss(tree, inputs, config, how));
      await assertParity(value, pick(cases, `loss.${name}`), { name: "loss" });
      for (const [leaf, gradient] of gradients) {
        await assertParity(gradient, pick(expected, referenceName(leaf)), { name: `gradient of ${leaf}` });
      }
    },
  );
}

testOnBackends("imageFeatures(), textFeatures() match PyTorch after ACE-HGNN", async () => {
  const { params, config } = await loadModel(weights, { lora: QKV, hgnn: HGNN });
  const { pixels, ids } = batch();
  await assertParity(imageFeatures(params, pixels, config), pick(cases, "hgnn.visual.features"), { name: "image" });
  await assertParity(textFeatures(params, ids, config), pick(cases, "hgnn.text.features"), { name: "text" });
});

testOnBackends("promptFeatures() matches PyTorch with and without ACE-HGNN, and so do zero-shot scores", async () => {
  const { pixels, ids } = batch();
  const { params, config } = await loadModel(weights, { lora: QKV, hgnn: HGNN });
  const classes = promptFeatures(params, ids, 2, config);
  await assertParity(classes, pick(cases, "prompts.features"), { name: "classes" });
  const logits = tf.matMul(imageFeatures(params, pixels, config), classes, false, true);
  const scores = tf.softmax(tf.mul(logits, similarityScale(params)));
  await assertParity(scores, pick(cases, "prompts.scores"), { name: "scores" });
  const plain = await loadModel(weights, { lora: QKV });
  const features = promptFeatures(plain.params, ids, 2, plain.config);
  await assertParity(features, pick(cases, "prompts.features_no_hgnn"), { name: "classes without ACE-HGNN" });
});
