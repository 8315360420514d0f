/** Folders of the towers beside the ViT, from the files to answers. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { openCheckpoint } from "../../lib/clip/checkpoint/checkpoint.ts";
import type { ClipLayout } from "../../lib/clip/checkpoint/layout.ts";
import { toClipTensors } from "../../lib/clip/checkpoint/tensors.ts";
import type { ClipConfig } from "../../lib/clip/config.ts";
import { clipConfigOf } from "../../lib/clip/load.ts";
import { initClip } from "../../lib/clip/params.ts";
import { encodePng } from "../../lib/image/png.ts";
import { writeSafetensors } from "../../lib/io/safetensors.ts";
import { float32Tensor } from "../../lib/io/tensors.ts";
import { loadModel } from "../../lib/model.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { caseOf, layoutFiles } from "./layout_cases.ts";
import { inFolder } from "../folder.ts";

const BPE = fromFileUrl(new URL("../text/byte_bpe_fixtures/tokenizer.json", import.meta.url));
const WORDS = fromFileUrl(new URL("../../data/mini_vocab.txt", import.meta.url));

/** A fixture's layout and configuration with another vocabulary. */
async function reworded(folder: string, vocabularySize: number): Promise<{ config: ClipConfig; layout: ClipLayout }> {
  const files = layoutFiles(caseOf(folder));
  const checkpoint = await openCheckpoint(files.weights);
  const config = await clipConfigOf(checkpoint, files);
  checkpoint.file.close();
  return { config: { ...config, text: { ...config.text, vocabularySize } }, layout: checkpoint.layout };
}

for (
  const [folder, rows, tokenizer, name] of [
    ["eva_clip", 1214, BPE, "tokenizer.json"],
    ["medclip_swin", 512, WORDS, "vocab.txt"],
    ["cxr_clip_swin", 512, WORDS, "vocab.txt"],
  ] as const
) {
  Deno.test(`loadModel() reads a folder, classifies and encodes: ${folder}`, async () => {
    await selectBackend({ backend: "wasm" });
    await inFolder(async (path) => {
      const { config, layout } = await reworded(folder, rows);
      const params = initClip(config, 4);
      const tensors = await toClipTensors(params, layout);
      disposeParams(params);
      const named = [...tensors].map(([key, { shape, values }]) => [key, float32Tensor(shape, values)] as const);
      await writeSafetensors(join(path, "model.safetensors"), new Map(named));
      await Deno.copyFile(tokenizer, join(path, name));
      const { config: json } = layoutFiles(caseOf(folder));
      if (json) {
        const text = await Deno.readTextFile(json);
        await Deno.writeTextFile(
          join(path, "open_clip_config.json"),
          text.replace('"vocab_size": 64', '"vocab_size": 1214'),
        );
      }
      const image = join(path, "film.png");
      const data = new Uint8Array(20 * 30).map((_, i) => i % 251);
      await Deno.writeFile(image, encodePng({ width: 20, height: 30, channels: 1, bitDepth: 8, data }));
      const model = await loadModel(path);
      assertEquals(model.config.vision.kind, config.vision.kind);
      const features = await model.encodeImages([image]);
      assertAlmostEquals(features.reduce((sum, x) => sum + x * x, 0), 1, 1e-5);
      assertEquals((await model.encodeTexts(["edema", "no finding"])).length, 2 * model.config.embedding);
      const [answer] = await model.classify([image], ["edema", "no finding"]);
      const probabilities = Object.values(answer!).flat().filter((value) => typeof value === "number");
      assert(probabilities.every((value) => value >= 0 && value <= 1), JSON.stringify(answer));
      model.dispose();
    });
  });
}
