/** ResNets as image towers: gradients, counts, folders of the models that have one, and what they refuse. */
import * as tf from "@tensorflow/tfjs";
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { basename, join } from "@std/path";
import { CLIP_VIT_B_32 } from "../../lib/clip/architectures.ts";
import type { ClipConfig, ResnetConfig } from "../../lib/clip/config.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { countClip } from "../../lib/clip/params.ts";
import { encodeImage } from "../../lib/clip/towers/image.ts";
import type { ResnetTrunk } from "../../lib/clip/towers/resnet.ts";
import { NotFound } from "../../lib/platform/system.ts";
import { exportOnnx } from "../../lib/export/onnx/model.ts";
import { loadModel } from "../../lib/model.ts";
import { isTrainedLeaf } from "../../lib/nn/batch_norm.ts";
import type { LinearParams } from "../../lib/nn/linear.ts";
import { PEFT_METHODS } from "../../lib/peft/methods.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { gradientsOf } from "../../lib/tensor/gradients.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import type { Scalar, Tensor, Tensor4D } from "../../lib/tensor/types.ts";
import { testOnBackends } from "../backends.ts";
import { assertNear } from "../dense/fixture.ts";
import { caseOf, openCase, withCopy } from "./layout_cases.ts";

/** A case of the layouts. */

/** torch's `[out, in, k, k]` as rows `[out, k · k · in]`, `[out]` and `[out, in]` as they are. */
function asRows(gradient: Tensor): Tensor {
  if (gradient.rank !== 4 || gradient.shape[2] !== gradient.shape[3]) return gradient;
  return tf.reshape(tf.transpose(gradient, [0, 2, 3, 1]), [gradient.shape[0]!, -1]);
}

for (const folder of ["open_clip_resnet", "cxr_clip"]) {
  testOnBackends(
    `the gradients through a ResNet by pixels, convolution, normalisation and head are torch's: ${folder}`,
    async () => {
      const { params, config, expected } = await openCase(caseOf(folder));
      const trunk = params.vision.trunk as ResnetTrunk;
      const leaves: Record<string, Tensor> = {
        pixels: expected.get("pixels")!,
        stem: trunk.stem[0]!.conv.weight,
        norm: trunk.stages[1]![0]!.conv2.norm.weight,
        head: (params.vision.head as LinearParams).weight,
        ...(trunk.pool ? { query: trunk.pool.query.weight } : {}),
      };
      const { value, grads } = gradientsOf(() => {
        const { tokens } = encodeImage(params, leaves["pixels"] as Tensor4D, config, { clsOnly: true });
        return tf.div(tf.sum(tf.square(tokens)), 2) as Scalar;
      }, Object.values(leaves));
      for (const [i, name] of Object.keys(leaves).entries()) {
        const wanted = name === "pixels" ? expected.get("gradient.pixels")! : asRows(expected.get(`gradient.${name}`)!);
        const scale = tf.max(tf.abs(wanted));
        const [largest] = await scale.data();
        await assertNear(tf.div(grads[i]!, largest!), [...await tf.div(wanted, largest!).data()], 1e-4, name);
      }
      tf.dispose([value, ...grads.map((gradient) => gradient!)]);
      disposeParams(params);
    },
  );
}

const RN50: ClipConfig & { vision: ResnetConfig } = {
  ...CLIP_VIT_B_32,
  vision: { kind: "clip-resnet", imageSize: 224, stemWidth: 64, width: 2048, stages: [3, 4, 6, 3], heads: 32 },
  embedding: 1024,
};

Deno.test("OpenAI's RN50 has 102,007,137 numbers beside its statistics; a plain ResNet-50 has torchvision's 23,508,032", () => {
  assertEquals(countClip(RN50, isTrainedLeaf), 102_007_137);
  const plain: ClipConfig = { ...RN50, vision: { ...RN50.vision, kind: "resnet", heads: 0 } };
  assertEquals(countClip(plain, (name) => name.startsWith("vision.trunk.") && isTrainedLeaf(name)), 23_508_032);
});

/** 64 entries, as many as the fixtures' word tables have rows. */
const WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "pneumonia", "no", "finding", "edema"];
const VOCABULARY = [...WORDS, ...Array.from({ length: 64 - WORDS.length }, (_, i) => `word${i}`)].join("\n");

/** A copy of a case's folder with a vocabulary. */
async function withWords(folder: string, body: (root: string) => Promise<void>): Promise<void> {
  await withCopy(folder, async (root) => {
    await Deno.writeTextFile(join(root, "vocab.txt"), VOCABULARY);
    await body(root);
  });
}

for (
  const folder of [
    "gloria",
    "mgca_resnet",
    "mgca_vit",
    "cxr_clip",
    "convirt",
    "medclip_resnet",
    "pmc_clip",
    "pmc_clip_parts",
  ]
) {
  Deno.test(`loadModel() takes the folder of ${folder} and its vocabulary, classifies and encodes`, async () => {
    await selectBackend({ backend: "wasm" });
    await withWords(folder, async (root) => {
      const notes: string[] = [];
      const model = await loadModel(root, { note: (text) => notes.push(text) });
      assert(notes[0]!.includes("is taken for"), notes[0]);
      const [answer] = await model.classify(["data/demo_report.png"], ["pneumonia", "edema"]);
      const scores = Object.values(answer!.scores);
      assertAlmostEquals(scores.reduce((a, b) => a + b, 0), 1, 1e-5);
      const features = await model.encodeImages(["data/demo_report.png"]);
      assertEquals(features.length, model.config.embedding);
      assertAlmostEquals(Math.hypot(...features), 1, 1e-5);
      const texts = await model.encodeTexts(["no finding", "edema"]);
      assert(texts.every(Number.isFinite) && texts.length === 2 * model.config.embedding);
      model.dispose();
    });
  });
}

Deno.test("classify() maps similarity over a ResNet read by its mean, and refuses to weigh an attention it has not", async () => {
  await selectBackend({ backend: "wasm" });
  await withWords("cxr_clip", async (root) => {
    const model = await loadModel(root);
    const ask = (maps: readonly ("similarity" | "gradient")[]) =>
      model.classify(["data/demo_report.png"], ["pneumonia", "edema"], { explain: true, maps });
    const [answer] = await ask(["similarity"]);
    assertEquals(answer!.overlay!.attention!.length, 4); // 2 x 2 places
    assertEquals(answer!.maps!.similarity!.overlays.length, 2);
    await assertRejects(() => ask(["gradient"]), RangeError, "the image tower must have attention");
    model.dispose();
  });
});

Deno.test("loadClip() refuses files of these models that do not fit, one line each", async () => {
  await selectBackend({ backend: "cpu" });
  const refused = async (
    folder: string,
    change: (root: string) => Promise<unknown>,
    ...parts: string[]
  ): Promise<void> => {
    await withWords(folder, async (root) => {
      await change(root);
      const error = await assertRejects(() => loadClip(root), Error);
      for (const part of parts) assert(error.message.includes(part), `${error.message}\nlacks ${part}`);
      assert(!error.message.includes("\n"), error.message);
    });
  };
  await refused(
    "gloria",
    (root) => Deno.writeTextFile(join(root, "config.json"), "{}"),
    "GLoRIA",
    "without a configuration",
  );
  await refused("mgca_vit", (root) => Deno.remove(join(root, "vocab.txt")), "vit_base.ckpt", "without a tokeniser");
  await refused(
    "cxr_clip",
    (root) => Deno.writeTextFile(join(root, "vocab.txt"), VOCABULARY.split("\n").slice(0, 32).join("\n")),
    "the word table's 64 rows",
  );
  await refused(
    "pmc_clip_parts",
    (root) => Deno.remove(join(root, "text_encoder.pth")),
    "text_encoder.pth must be beside it",
  );
  await refused(
    "convirt",
    (root) => Deno.copyFile(join(root, "model.pth"), join(root, "other.pth")),
    "model.pth and other.pth",
  );
  await refused("gloria", (root) => Deno.remove(join(root, "chexpert_resnet50.ckpt")), "must hold weights");
  await assertRejects(() => loadClip("no/such/folder"), NotFound);
});

Deno.test("a ResNet refuses visual prompts and ONNX export in one line that says what it is", async () => {
  await selectBackend({ backend: "cpu" });
  assertThrows(() => PEFT_METHODS["vpt"](RN50), RangeError, "it is a clip-resnet");
  const { params, config } = await openCase(caseOf("cxr_clip"));
  const folder = await Deno.makeTempDir();
  await assertRejects(() => exportOnnx(params, { encoders: config }, folder), RangeError, "it is a resnet");
  assertEquals([...Deno.readDirSync(folder)].map(({ name }) => basename(name)), []);
  await Deno.remove(folder);
  disposeParams(params);
});
