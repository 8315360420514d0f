/** A small CLIP as the hub gives it: transformers' layout, the fixture's vocabulary of 1,214 tokens. @module */
import { fromFileUrl, join } from "@std/path";
import { toClipTensors } from "../../lib/clip/checkpoint/tensors.ts";
import { CLIP_VIT_B_16 } from "../../lib/clip/architectures.ts";
import type { ClipConfig } from "../../lib/clip/config.ts";
import { initClip } from "../../lib/clip/params.ts";
import { writeSafetensors } from "../../lib/io/safetensors.ts";
import { float32Tensor } from "../../lib/io/tensors.ts";
import { disposeParams } from "../../lib/tensor/params.ts";

const BPE = fromFileUrl(new URL("../text/byte_bpe_fixtures/", import.meta.url));

/** A CLIP of `transformers` with the fixture's vocabulary. */
export const HUB_CONFIG: ClipConfig = {
  ...CLIP_VIT_B_16,
  vision: { ...CLIP_VIT_B_16.vision, imageSize: 16, patchSize: 8, width: 12, depth: 2, heads: 2, mlpWidth: 20 },
  text: {
    ...CLIP_VIT_B_16.text,
    ...{
      vocabularySize: 1214,
      contextLength: 10,
      positions: 10,
      width: 8,
      depth: 2,
      heads: 2,
      mlpWidth: 16,
      eotId: 1213,
    },
  },
  embedding: 6,
};
/** Its config.json. */
export const HUB_JSON = {
  model_type: "clip",
  projection_dim: 6,
  vision_config: { hidden_size: 12, num_attention_heads: 2, patch_size: 8, image_size: 16 },
  text_config: { hidden_size: 8, num_attention_heads: 2, eos_token_id: 1213, max_position_embeddings: 10 },
};
const LAYOUT = {
  vision: "hf_clip",
  visionPrefix: "vision_model.",
  text: "hf_clip",
  textPrefix: "text_model.",
} as const;

/** Writes a folder as the hub has it; the weights' tree is freed. */
export async function writeHubFolder(
  folder: string,
  { clip = HUB_CONFIG, json = HUB_JSON }: { clip?: ClipConfig; json?: object } = {},
): Promise<void> {
  const params = initClip(clip, 3);
  const tensors = await toClipTensors(params, LAYOUT);
  disposeParams(params);
  const entries = [...tensors].map(([name, { shape, values }]) => [name, float32Tensor(shape, values)] as const);
  await writeSafetensors(join(folder, "model.safetensors"), new Map(entries));
  await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(json));
  await Deno.copyFile(join(BPE, "tokenizer.json"), join(folder, "tokenizer.json"));
  await Deno.writeTextFile(
    join(folder, "preprocessor_config.json"),
    JSON.stringify({
      ...{ size: { height: clip.vision.imageSize, width: clip.vision.imageSize }, resample: 2 },
      ...{ image_mean: [0.5, 0.5, 0.5], image_std: [1, 1, 1] },
    }),
  );
  await Deno.writeTextFile(join(folder, "training_args.bin"), "no weights");
}
