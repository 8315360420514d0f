/** open_clip's checkpoints of a BiomedCLIP, both ways. @module */
import type { ClipParams } from "../params.ts";
import { type CheckpointTensor, expectedClip, loadClipTensors, toClipTensors } from "./tensors.ts";
import type { BertConfig, ClipConfig } from "../config.ts";
import { layerCount } from "./layer_count.ts";
import type { ClipLayout } from "./names.ts";

/** open_clip's names: timm's image tower, `transformers`' BERT. */
export const BIOMED_CLIP_LAYOUT: ClipLayout = {
  vision: "timm",
  visionPrefix: "visual.trunk.",
  text: "open_clip_bert",
  textPrefix: "text.transformer.",
};

/** Every tensor a checkpoint of this configuration must hold, with its shape. */
export function expectedCheckpoint(config: ClipConfig): Map<string, number[]> {
  return expectedClip(config, BIOMED_CLIP_LAYOUT);
}

/**
 * The configuration a checkpoint's shapes imply: depth, widths, vocabulary, patch and image size are read from the file, all
 * else (heads, epsilon, context length, mean and std) comes from `base`. Heads keep `base`'s width per head.
 *
 * @param shapes Shape of each tensor in the file.
 * @throws {RangeError} If a tensor that tells a size is missing.
 */
export function configFromCheckpoint(
  shapes: ReadonlyMap<string, readonly number[]>,
  base: ClipConfig & { text: BertConfig },
): ClipConfig & { text: BertConfig } {
  const shape = (name: string): readonly number[] => {
    const found = shapes.get(name);
    if (!found) {
      throw new RangeError(`Cannot read the model's size as "${name}" is missing: file has ${shapes.size} tensors`);
    }
    return found;
  };
  const heads = (width: number, config: { width: number; heads: number }): number =>
    Math.max(1, Math.round(width / (config.width / config.heads)));
  const [width = 0, , patchSize = 0] = shape("visual.trunk.patch_embed.proj.weight");
  const [vocabularySize = 0, textWidth = 0] = shape("text.transformer.embeddings.word_embeddings.weight");
  const patches = (shape("visual.trunk.pos_embed")[1] ?? 0) - 1;
  const positions = shape("text.transformer.embeddings.position_embeddings.weight")[0] ?? 0;
  return {
    ...base,
    vision: {
      ...base.vision,
      width,
      patchSize,
      imageSize: Math.round(Math.sqrt(patches)) * patchSize,
      depth: layerCount(shapes, "visual.trunk.blocks."),
      heads: heads(width, base.vision),
      mlpWidth: shape("visual.trunk.blocks.0.mlp.fc1.weight")[0] ?? 0,
    },
    text: {
      ...base.text,
      vocabularySize,
      positions,
      contextLength: Math.min(base.text.contextLength, positions),
      width: textWidth,
      depth: layerCount(shapes, "text.transformer.encoder.layer."),
      heads: heads(textWidth, base.text),
      mlpWidth: shape("text.transformer.encoder.layer.0.intermediate.dense.weight")[0] ?? 0,
      headWidth: shape("text.proj.0.weight")[0] ?? 0,
    },
    embedding: shape("visual.head.proj.weight")[0] ?? 0,
  };
}

/**
 * Loads a model from checkpoint tensors, one at a time, so that memory holds the model and one tensor more.
 *
 * @param read Reads the tensor of a checkpoint name.
 * @returns New tensors, freed by `disposeParams`.
 * @throws {TypeError} If a tensor has another shape than the configuration asks for.
 */
export async function loadBiomedClip(
  config: ClipConfig,
  read: (name: string) => Promise<CheckpointTensor>,
): Promise<ClipParams> {
  return await loadClipTensors(config, BIOMED_CLIP_LAYOUT, read);
}

/**
 * A model's numbers under checkpoint names, in torch's layout: the inverse of {@linkcode loadBiomedClip}.
 *
 * @param params Weights without LoRA (merge first).
 */
export async function toCheckpoint(params: ClipParams): Promise<Map<string, CheckpointTensor>> {
  return await toClipTensors(params, BIOMED_CLIP_LAYOUT);
}
