import * as tf from "@tensorflow/tfjs";
import { assertEquals } from "@std/assert";
import { encodeImage } from "../../lib/clip/towers/image.ts";
import { encodeText } from "../../lib/clip/towers/text.ts";
import { BIOMED_CLIP_LAYOUT } from "../../lib/clip/checkpoint/layout.ts";
import { toClipTensors } from "../../lib/clip/checkpoint/tensors.ts";
import { mergeUpdates } from "../../lib/nn/linear.ts";
import { testOnBackends } from "../backends.ts";
import { assertParity, below, pick, readFixture, toTensor } from "./fixtures.ts";
import { loadBase, loadModel, QKV, TINY } from "./tiny_model.ts";

const weights = await readFixture("weights");
const cases = await readFixture("cases");

const models = {
  base: () => loadBase(weights),
  lora: async () => (await loadModel(weights, { lora: QKV })).params,
  merged: async () => mergeUpdates((await loadModel(weights, { lora: QKV })).params),
};

for (const [name, load] of Object.entries(models)) {
  testOnBackends(`encodeImage() matches PyTorch, ${name}: all tokens and both kinds of CLS attention`, async () => {
    const params = await load();
    const pixels = toTensor(cases, "pixels") as tf.Tensor4D;
    for (const affinity of ["logits", "probabilities"] as const) {
      const result = encodeImage(params, pixels, TINY, { affinity });
      await assertParity(result.tokens, pick(cases, `${name}.visual.tokens`), { name: "tokens" });
      await assertParity(result.affinity!, pick(cases, `${name}.visual.affinity.${affinity}`), { name: affinity });
    }
  });

  testOnBackends(
    `encodeText() matches PyTorch, ${name}: padded texts, all tokens and both kinds of CLS attention`,
    async () => {
      const params = await load();
      const ids = toTensor(cases, "ids") as tf.Tensor2D;
      for (const affinity of ["logits", "probabilities"] as const) {
        const result = encodeText(params, ids, TINY, { affinity });
        await assertParity(result.tokens, pick(cases, `${name}.text.tokens`), { name: "tokens" });
        await assertParity(result.affinity!, pick(cases, `${name}.text.affinity.${affinity}`), { name: affinity });
      }
    },
  );
}

testOnBackends("encodeImage(), encodeText() with clsOnly give row 0 of all tokens as PyTorch has it", async () => {
  const params = await models.lora();
  const first = (name: string): { shape: number[]; dtype: "float32"; data: Float32Array } => {
    const { shape: [batch = 0, tokens = 0, width = 0], data } = pick(cases, name);
    const rows = Array.from({ length: batch }, (_, b) => [...data.slice(b * tokens * width, (b * tokens + 1) * width)]);
    return { shape: [batch, 1, width], dtype: "float32", data: Float32Array.from(rows.flat()) };
  };
  const image = encodeImage(params, toTensor(cases, "pixels") as tf.Tensor4D, TINY, { clsOnly: true });
  await assertParity(image.tokens, first("lora.visual.tokens"), { name: "image" });
  const text = encodeText(params, toTensor(cases, "ids") as tf.Tensor2D, TINY, { clsOnly: true });
  await assertParity(text.tokens, first("lora.text.tokens"), { name: "text" });
});

testOnBackends("encodeText() gives a pad a probability of exactly 0", async () => {
  const { affinity } = encodeText(await models.lora(), toTensor(cases, "ids") as tf.Tensor2D, TINY, {
    affinity: "probabilities",
  });
  const values = await affinity!.data();
  const expected = pick(cases, "lora.text.affinity.probabilities").data;
  assertEquals([...values].map((p) => p === 0), [...expected].map((p) => p === 0));
});

const TOP1 = { ...QKV, targets: ["q", "v", "o"], positions: "top1", encoders: ["image"] } as const;

testOnBackends("injectLora() on q, v, o of the last image block matches PyTorch, unmerged and merged", async () => {
  const { params } = await loadModel(weights, { lora: TOP1 });
  for (const model of [params, mergeUpdates(params)]) {
    const { tokens, affinity } = encodeImage(model, toTensor(cases, "pixels") as tf.Tensor4D, TINY, {
      affinity: "logits",
    });
    await assertParity(tokens, pick(cases, "qvo_top1.visual.tokens"), { name: "tokens" });
    await assertParity(affinity!, pick(cases, "qvo_top1.visual.affinity.logits"), { name: "affinity" });
  }
});

for (const [prefix, lora] of [["merged.weight.", QKV], ["qvo_top1.merged.weight.", TOP1]] as const) {
  testOnBackends(
    `mergeUpdates(), toClipTensors(, BIOMED_CLIP_LAYOUT) give PyTorch's merged weights and leave the others, ${prefix}`,
    async () => {
      const { vision, text, logitScale } = mergeUpdates((await loadModel(weights, { lora })).params);
      const checkpoint = await toClipTensors({ vision, text, logitScale }, BIOMED_CLIP_LAYOUT);
      const merged = below(cases, prefix);
      for (const [name, { shape, values }] of checkpoint) {
        const expected = merged.get(name) ?? pick(weights, name);
        const tolerance = merged.has(name) ? 1e-6 : 0;
        await assertParity(tf.tensor(values, [...shape]), expected, { name, tolerance });
      }
      assertEquals([...merged.keys()].filter((name) => !checkpoint.has(name)), []);
    },
  );
}
