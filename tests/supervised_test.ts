import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { type AceLoraConfig, type AceLoraParams, initAceLora } from "../lib/ace_lora.ts";
import { readAdapter, writeAdapter } from "../lib/adapters/files.ts";
import { loadAdapter, saveAdapter } from "../lib/adapters/model.ts";
import { HeadPlaceError } from "../lib/adapters/record.ts";
import { loadClip } from "../lib/clip/load.ts";
import { targetSource } from "../lib/data/targets.ts";
import { trainingSet } from "../lib/data/synthetic/sets.ts";
import { CHEXPERT_LABELS } from "../lib/data/types.ts";
import { HeadClassError, headScores, headValidation } from "../lib/eval/head.ts";
import { imageSource } from "../lib/data/sources.ts";
import { headLogits, initHead, supervisedModel } from "../lib/supervised.ts";
import { selectBackend } from "../lib/tensor/backend.ts";
import { namedTensors, withTensors } from "../lib/tensor/params.ts";
import { normal } from "../lib/tensor/init.ts";
import type { Tensor, Tensor2D } from "../lib/tensor/types.ts";
import { batchOf } from "../lib/train/batch.ts";
import { fit } from "../lib/train/fit.ts";
import { contrastiveGradients } from "../lib/train/gradients.ts";
import { inFolder } from "./folder.ts";
import { assertClose } from "./close.ts";

await selectBackend({ backend: "wasm", wasm: { threads: 1 } });
const { params: base, config: encoders } = await loadClip();

/** The mini model with LoRA and ACE-HGNN of both towers, and a head that is no longer zero. */
async function adapted(): Promise<{ params: AceLoraParams; config: AceLoraConfig }> {
  const lora = { rank: 2, alpha: 1, rankStabilised: true, dropout: 0, targets: ["q", "v"], positions: "all" } as const;
  const config: AceLoraConfig = {
    encoders,
    lora: { ...lora, targets: [...lora.targets], encoders: ["image", "text"] },
    hgnn: { topK: 3, hidden: 8, encoders: ["image", "text"] },
    classes: CHEXPERT_LABELS,
  };
  const fresh = await initAceLora(base, config);
  const head = { weight: normal([14, encoders.embedding], 0.3, 1, "head") as Tensor2D, bias: initHead(1, 14).bias! };
  const loraB = [...namedTensors(fresh)].filter(([name]) => name.endsWith("loraB"));
  const moved = new Map(loraB.map(([name, { shape }]) => [name, normal(shape, 0.05, 2, name) as Tensor]));
  return { params: { ...withTensors(fresh, moved), head }, config };
}

const positiveWeights = CHEXPERT_LABELS.map((_, c) => 1 + c / 4);
const set = trainingSet(8, 3);
const source = targetSource(set, encoders);

async function batch() {
  const side = encoders.vision.imageSize;
  const indices = [0, 1, 2, 3, 4, 5];
  return batchOf({
    pixels: tf.tensor4d(await source.pixels(indices), [6, side, side, 3]),
    ids: tf.tensor2d(await source.ids(indices), [6, 14], "int32"),
  });
}

Deno.test("supervisedModel() has the gradients that central differences give, through the head into LoRA and ACE-HGNN", async () => {
  const { params, config } = await adapted();
  const model = supervisedModel(config, { positiveWeights, training: "joint" });
  const samples = await batch();
  const { gradients } = await contrastiveGradients(model, params, samples);
  const lossWith = async (name: string, index: number, by: number): Promise<number> => {
    const leaf = namedTensors(params).get(name)!;
    const values = Float32Array.from(await leaf.data());
    values[index]! += by;
    const changed = withTensors(params, new Map([[name, tf.tensor(values, leaf.shape) as Tensor]]));
    const { value } = await contrastiveGradients(model, changed, samples);
    return (await value.data())[0]!;
  };
  const names = [...gradients.keys()];
  const asked = [
    "head.weight",
    "head.bias",
    ...names.filter((name) => /hgnn\.image\.node.*weight|\.0\..*loraA/.test(name)),
  ];
  assert(asked.length >= 5, asked.join());
  for (const name of asked) {
    const values = await gradients.get(name)!.data() as Float32Array;
    const index = values.reduce((best, value, i) => Math.abs(value) > Math.abs(values[best]!) ? i : best, 0);
    const step = 1e-2;
    const slope = (await lossWith(name, index, step) - await lossWith(name, index, -step)) / (2 * step);
    assert(
      Math.abs(slope - values[index]!) < 1e-3 + 0.03 * Math.abs(slope),
      `${name}: ${values[index]}, slope ${slope}`,
    );
  }
});

Deno.test("supervisedModel() trains the image side and the head, alone only the head, and in micro-batches the same", async () => {
  const { params, config } = await adapted();
  const samples = await batch();
  const joint = supervisedModel(config, { positiveWeights, training: "joint" });
  const whole = await contrastiveGradients(joint, params, samples);
  const parts = await contrastiveGradients(joint, params, samples, { microBatch: 2 });
  await assertClose(parts.value, whole.value, 1e-5, "loss");
  for (const [name, gradient] of whole.gradients) await assertClose(parts.gradients.get(name)!, gradient, 1e-4, name);
  const trained = [...whole.gradients.keys()];
  assertEquals(trained.filter((name) => /^text|^hgnn\.text|^scale/.test(name)), []);
  assert(trained.some((name) => name.startsWith("hgnn.image.")) && trained.some((name) => name.includes("lora")));
  const alone = supervisedModel(config, { positiveWeights, training: "alone" });
  const { gradients } = await contrastiveGradients(alone, params, samples);
  assertEquals([...gradients.keys()], ["head.weight", "head.bias"]);
});

Deno.test("fit() with a head learns the labels of its images; what is saved answers the same after it is loaded", async () => {
  const { params, config } = await adapted();
  const model = supervisedModel(config, { positiveWeights: CHEXPERT_LABELS.map(() => 1), training: "joint" });
  const start = { ...params, head: initHead(encoders.embedding, 14) };
  const measure = headValidation(set, config);
  const { value: before } = await measure(start);
  const result = await fit(model, start, source, {
    ...{ epochs: 12, batchSize: 8, microBatch: 4, learningRate: 1e-2, warmupEpochs: 0, loss: "supervised" },
  });
  assert(Math.abs(result.history[0]!.loss - Math.log(2)) < 1e-5, "a head of zeros answers a half to everything");
  assert(result.history.at(-1)!.loss < 0.3, `${result.history.at(-1)!.loss}`);
  const { value: after } = await measure(result.params);
  assert(before === 0.5 && after > 0.85, `${before}, ${after}`);
  await inFolder(async (folder) => {
    const path = join(folder, "adapter.safetensors");
    await saveAdapter(path, result.params, config);
    const loaded = await loadAdapter(path, base, encoders);
    assertEquals(loaded.config.classes, CHEXPERT_LABELS);
    const images = imageSource(set.cases, encoders);
    const classes = ["pneumonia", "Pleural_Effusion"];
    const [own, again] = [
      await headScores(result.params, images, config, { classes }),
      await headScores(loaded.params, images, loaded.config, { classes }),
    ];
    assertEquals([...again], [...own]);
    const exclusive = await headScores(loaded.params, images, loaded.config, { classes, isExclusive: true });
    assert(Math.abs(exclusive[0]! + exclusive[1]! - 1) < 1e-6);
    await assertRejects(
      () => headScores(loaded.params, images, loaded.config, { classes: ["mass"] }),
      HeadClassError,
      '"mass" must be among its classes: they are Atelectasis',
    );
    const adapter = await readAdapter(path);
    await assertRejects(
      () => writeAdapter(join(folder, "peft"), adapter, { format: "peft" }),
      HeadPlaceError,
      "must have no head of labels: it has one of 14",
    );
  });
});

Deno.test("headLogits() is √E W f + b", async () => {
  const head = { weight: tf.tensor2d([[1, 2], [0, -1]]) as Tensor2D, bias: tf.tensor1d([0.5, 0]) };
  const logits = headLogits(head, tf.tensor2d([[0.6, 0.8]]) as Tensor2D);
  await assertClose(logits, tf.tensor2d([[Math.SQRT2 * 2.2 + 0.5, -Math.SQRT2 * 0.8]]), 1e-6, "logits");
});
