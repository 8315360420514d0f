/** The tiny CLIPs that make_clip_fixtures.py saved. @module */
import * as tf from "@tensorflow/tfjs";
import { fromFileUrl } from "@std/path";
import type { ClipParams } from "../../lib/clip/params.ts";
import { loadClipTensors } from "../../lib/clip/checkpoint/tensors.ts";
import { findLayout } from "../../lib/clip/checkpoint/find_layout.ts";
import { CLIP_VIT_B_16 } from "../../lib/clip/architectures.ts";
import type { ClipConfig, VitConfig } from "../../lib/clip/config.ts";
import { parseClipConfig } from "../../lib/clip/config_file/parse.ts";
import { clipSizes } from "../../lib/clip/config_file/sizes.ts";
import { openTensorFile } from "../../lib/io/open.ts";
import { readSafetensors } from "../../lib/io/safetensors.ts";
import { toFloat32 } from "../../lib/io/tensors.ts";
import type { Tensor } from "../../lib/tensor/types.ts";

/** Folders of the fixtures. */
export const CLIP_FIXTURES = [
  "hf_clip",
  "hf_clip_old_eos",
  "pair_vit_bert",
  "pair_clip_bert",
  "open_clip_quick",
  "open_clip_gelu",
  "open_clip_bert_mean",
  "open_clip_bert_cls",
] as const;

const here = (name: string): string => fromFileUrl(new URL(`clip_fixtures/${name}`, import.meta.url));

/** Paths of a fixture's configuration and weights. */
export function fixtureFiles(name: string): { config: string; weights: string } {
  if (name.startsWith("open_clip")) {
    return { config: here(`${name}/open_clip_config.json`), weights: here(`${name}/open_clip_pytorch_model.bin`) };
  }
  const weights = name === "hf_clip_old_eos" ? "pytorch_model.bin" : "model.safetensors";
  return { config: here(`${name}/config.json`), weights: here(`${name}/${weights}`) };
}

/** A fixture's configuration, checked against its weights. */
export async function configOf(name: string): Promise<ClipConfig> {
  const { config, weights } = fixtureFiles(name);
  const file = await openTensorFile(weights);
  const shapes = new Map([...file.entries].map(([key, { shape }]) => [key, shape]));
  file.close();
  const sizes = clipSizes(shapes, findLayout(new Set(shapes.keys()), weights).layout);
  return parseClipConfig(await Deno.readTextFile(config), { config, weights, sizes });
}

/** A fixture's weights, sizes and expected tensors, on the current backend; the caller disposes them. */
export async function openFixture(
  name: string,
): Promise<{ params: ClipParams; config: ClipConfig; expected: Map<string, Tensor>; path: string }> {
  const config = await configOf(name);
  const { weights: path } = fixtureFiles(name);
  const file = await openTensorFile(path);
  const shapes = new Map([...file.entries].map(([key, { shape }]) => [key, shape]));
  const params = await loadClipTensors(config, findLayout(new Set(shapes.keys()), path).layout, async (key) => {
    const tensor = await file.read(key);
    return { shape: tensor.shape, values: toFloat32(tensor) };
  });
  file.close();
  const expected = new Map<string, Tensor>();
  const { tensors } = await readSafetensors(here(`${name}/expected.safetensors`));
  for (const [key, { dtype, shape, data }] of tensors) {
    const { buffer } = data.slice();
    const tensor = dtype === "I32"
      ? tf.tensor(new Int32Array(buffer), shape, "int32")
      : tf.tensor(new Float32Array(buffer), shape);
    expected.set(key, tensor);
  }
  return { params, config, expected, path };
}

/** CLIP's own architecture at a size for tests. */
export function smallClip(): ClipConfig & { vision: VitConfig } {
  const { vision, text } = CLIP_VIT_B_16;
  if (text.kind !== "clip") throw new TypeError("Cannot shrink the text tower as it must be CLIP's own");
  return {
    ...CLIP_VIT_B_16,
    vision: { ...vision, imageSize: 16, patchSize: 8, width: 12, depth: 2, heads: 2, mlpWidth: 20 },
    text: { ...text, vocabularySize: 64, contextLength: 10, positions: 10, width: 8, depth: 2, heads: 2, mlpWidth: 16 },
    embedding: 6,
  };
}
