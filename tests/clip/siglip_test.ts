/** A SigLIP's folder, from the files to answers. */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { aceLoraModel } from "../../lib/ace_lora.ts";
import { MED_SIGLIP_448 } from "../../lib/clip/architectures.ts";
import type { ClipConfig } from "../../lib/clip/config.ts";
import { toClipTensors } from "../../lib/clip/checkpoint/tensors.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { countClip, initClip } from "../../lib/clip/params.ts";
import { tokenise } from "../../lib/clip/tokenise.ts";
import { classifyByProtocol } from "../../lib/clip/zero_shot/ask.ts";
import { PROTOCOLS } from "../../lib/clip/zero_shot/presets.ts";
import { writeSafetensors } from "../../lib/io/safetensors.ts";
import { float32Tensor } from "../../lib/io/tensors.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { inFolder } from "../folder.ts";

const TOKENIZERS = fromFileUrl(new URL("../text/sentence_fixtures/", import.meta.url));

/** A small SigLIP for a vocabulary. */
function small(vocabularySize: number): ClipConfig {
  const { vision, text } = MED_SIGLIP_448;
  const sizes = { width: 16, depth: 1, heads: 2, mlpWidth: 32 };
  return {
    ...MED_SIGLIP_448,
    vision: { ...vision, ...sizes, imageSize: 16, patchSize: 8 },
    text: { ...text, ...sizes, vocabularySize, contextLength: 12, positions: 12 },
    embedding: 16,
    interpolation: "bicubic",
  };
}

/** Writes random weights as google's folders hold them. */
async function writeFolder(folder: string, config: ClipConfig, tokenizer: [from: string, name: string]): Promise<void> {
  const params = initClip(config, 1);
  const layout = { vision: "hf_siglip", visionPrefix: "vision_model.", text: "hf_siglip", textPrefix: "text_model." };
  const tensors = await toClipTensors(params, layout as Parameters<typeof toClipTensors>[1]);
  disposeParams(params);
  const named = [...tensors].map(([name, { shape, values }]) => [name, float32Tensor(shape, values)] as const);
  await writeSafetensors(join(folder, "model.safetensors"), new Map(named));
  const tower = { num_attention_heads: 2, num_hidden_layers: 1, hidden_size: 16, intermediate_size: 32 };
  const json = { model_type: "siglip", vision_config: { ...tower, image_size: 16, patch_size: 8 }, text_config: tower };
  await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(json));
  await Deno.copyFile(join(TOKENIZERS, tokenizer[0]), join(folder, tokenizer[1]));
}

Deno.test("loadClip() reads a SigLIP's folder with spiece.model and one with Gemma's tokenizer.json; it answers by sigmoid", async () => {
  await selectBackend({ backend: "cpu" });
  for (
    const [tokenizer, rows, end] of [
      [["unigram.model", "spiece.model"], 160, 1],
      [["gemma.json", "tokenizer.json"], 420, 0],
    ] as const
  ) {
    await inFolder(async (folder) => {
      await writeFolder(folder, small(rows), [...tokenizer]);
      const { params, config, tokenizer: own } = await loadClip(folder);
      assertEquals(config, small(rows));
      const { ids } = tokenise(own, ["edema"], config);
      assertEquals(ids.at(-1), end);
      const images = {
        size: 2,
        imageSize: 16,
        pixels: (indices: readonly number[]) =>
          Promise.resolve(Float32Array.from({ length: indices.length * 768 }, (_, i) => Math.sin(i))),
      };
      const classes = ["edema", "pneumothorax"];
      const task = { protocol: PROTOCOLS["medsiglip"]!, classes, config, tokenizer: own };
      const scores = await classifyByProtocol(
        aceLoraModel({ encoders: config, learnScale: false }),
        params,
        images,
        task,
      );
      // Fresh weights have SigLIP's start: scale 10, bias -10, so that every pair is unlikely on its own.
      assert(scores.length === 4 && scores.every((score) => score > 0 && score < 0.6), `${scores}`);
      disposeParams(params);
    });
  }
});

Deno.test("loadClip() refuses a SigLIP with another model's vocabulary, and SigLIP 2's variable resolution by name", async () => {
  await inFolder(async (folder) => {
    await writeFolder(folder, small(300), ["unigram.model", "spiece.model"]);
    await assertRejects(() => loadClip(folder), RangeError, "the word table's 300 rows");
    await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify({ model_type: "siglip2" }));
    await assertRejects(() => loadClip(folder), SyntaxError, '"siglip2"');
  });
});

Deno.test("MED_SIGLIP_448 has 878,300,338 numbers", () => {
  assertEquals(countClip(MED_SIGLIP_448), 878_300_338);
  assertAlmostEquals(countClip(MED_SIGLIP_448, (name) => name.startsWith("vision.")) / 1e6, 428.565, 0.001);
});
