import * as tf from "@tensorflow/tfjs";
import { assertEquals } from "@std/assert";
import type { ClipParams } from "../../lib/clip/params.ts";
import { BIOMED_CLIP } from "../../lib/clip/architectures.ts";
import type { ClipConfig } from "../../lib/clip/config.ts";
import { buildClip } from "../../lib/clip/params.ts";
import { PEFT_METHODS, type PeftName } from "../../lib/peft/methods.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { countParams, namedTensors } from "../../lib/tensor/params.ts";
import type { Tensor } from "../../lib/tensor/types.ts";

/** A tree of the right shapes in which leaves of one shape are one tensor, so that 195 million numbers need 0.1 GB. */
function shapesOf(encoders: ClipConfig): ClipParams {
  const made = new Map<string, Tensor>();
  return buildClip(encoders, (_name, shape) => {
    const key = shape.join();
    if (!made.has(key)) made.set(key, tf.zeros(shape));
    return made.get(key)!;
  });
}

/** D = 768, E = 512, 24 blocks; `+ 1` is the similarity's scale, which every trained method learns. */
const NUMBERS: Record<PeftName, number> = {
  // Nothing.
  "none": 0,
  // A block: 4 (D² + D) + 2 · 4D² + 4D + D + 4D = 7,087,872. Image: 768 · 768 + D + D + 197 D + 12 blocks + 2D + 512 D; text:
  // (30,522 + 512 + 2) D + 2D + 12 blocks + 640 D + 512 · 640; + 1, the scale, which stands for logit_scale.
  "full": 195_902_721,
  // 768·512 image head + 768·640 + 640·512 text head + 1
  "heads": 1_212_417,
  // Blocks: 24 · (6 of D [norm1, q, k, v, o, norm2] + 4D [fc1] + D [fc2]) = 24 · 11 · 768; patches, two final norms: 3 · 768; + 1
  "bitfit": 205_057,
  // 24 · (2 · 768 · 48 + 48 + 768) + 1
  "adapter": 1_789_057,
  // 24 · (768 + 768 + 3072) + 1
  "ia3": 110_593,
  // 12 · 5 · 768 + 1
  "vpt": 46_081,
  // 16 · 768 + 1
  "coop": 12_289,
  // 2 · 512 · 128 + 1
  "clip-adapter": 131_073,
  // 24 · 3 · (4 · 768 + 768 · 4) + 1
  "lora": 442_369,
  "rslora": 442_369,
  // LoRA + 24 · 3 · 768 magnitudes
  "dora": 497_665,
  // LoRA + 4 · (2 · 512 · 128 + 128 + 512)
  "ace-lora": 969_217,
};

for (const [name, expected] of Object.entries(NUMBERS)) {
  Deno.test(`${name} trains ${expected.toLocaleString("en")} numbers of BiomedCLIP`, async () => {
    await selectBackend({ backend: "cpu" });
    tf.engine().startScope();
    const method = PEFT_METHODS[name as PeftName](BIOMED_CLIP);
    const params = await method.prepare(shapesOf(BIOMED_CLIP));
    assertEquals(countParams(params, (leaf) => method.model.isTrainable(leaf)), expected);
    tf.engine().endScope();
  });
}

Deno.test("a smaller word table changes full fine-tuning alone: 28,895 rows", async () => {
  await selectBackend({ backend: "cpu" });
  tf.engine().startScope();
  const encoders = { ...BIOMED_CLIP, text: { ...BIOMED_CLIP.text, vocabularySize: 28895 } };
  const method = PEFT_METHODS.full(encoders);
  const params = await method.prepare(shapesOf(encoders));
  // 195,902,721 - (30,522 - 28,895) · 768
  assertEquals(countParams(params, (leaf) => method.model.isTrainable(leaf)), 194_653_185);
  tf.engine().endScope();
});

Deno.test("namedTensors() of what is trainable names each method's leaves", async () => {
  await selectBackend({ backend: "cpu" });
  tf.engine().startScope();
  const block = "vision.trunk.blocks.0";
  const expected: Partial<Record<PeftName, [count: number, first: string]>> = {
    "none": [0, ""],
    "heads": [3 + 1, "vision.head.weight"],
    "bitfit": [24 * 8 + 3 + 1, "vision.trunk.patchEmbed.bias"],
    "adapter": [24 * 4 + 1, `${block}.adapter.down.weight`],
    "ia3": [24 * 3 + 1, `${block}.attention.key.ia3.factors`],
    "vpt": [12 + 1, `${block}.prompts`],
    "coop": [1 + 1, "text.trunk.context"],
    "clip-adapter": [2 + 1, "featureAdapter.image.down.weight"],
    "lora": [24 * 6 + 1, `${block}.attention.query.lora.loraA`],
    "rslora": [24 * 6 + 1, `${block}.attention.query.lora.loraA`],
    "dora": [24 * 9 + 1, `${block}.attention.query.dora.loraA`],
    "ace-lora": [24 * 6 + 16 + 1, `${block}.attention.query.lora.loraA`],
  };
  for (const [name, [count, first]] of Object.entries(expected)) {
    const method = PEFT_METHODS[name as PeftName](BIOMED_CLIP);
    const leaves = [...namedTensors(await method.prepare(shapesOf(BIOMED_CLIP)), method.model.isTrainable).keys()];
    assertEquals([leaves.length, leaves[0] ?? ""], [count, first], name);
    assertEquals(leaves.includes("scale"), name !== "none");
  }
  tf.engine().endScope();
});
