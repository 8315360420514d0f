/** open_clip's checkpoint names, both ways. @module */
import * as tf from "@tensorflow/tfjs";
import { namedTensors } from "../tensor/params.ts";
import type { Tensor } from "../tensor/types.ts";
import type { BiomedClipParams } from "./biomed_clip.ts";
import type { BiomedClipConfig } from "./config.ts";
import { layerCount } from "./layer_count.ts";
import { buildBiomedClip } from "./skeleton.ts";

/** Numbers of one checkpoint tensor, in torch's layout. */
export interface CheckpointTensor {
  /** Its shape. */
  shape: readonly number[];
  /** Its values, row-major. */
  values: Float32Array;
}

/** Where a leaf's numbers stand in a checkpoint. */
interface Place {
  /** Checkpoint name. */
  name: string;
  /** Which third of a fused qkv tensor. */
  third?: 0 | 1 | 2;
  /** Whether it is the patch convolution `[D, 3, P, P]`. */
  convolution?: boolean;
}

const VISION_BLOCK: Record<string, string> = {
  "norm1": "norm1",
  "norm2": "norm2",
  "attention.output": "attn.proj",
  "mlp.fc1": "mlp.fc1",
  "mlp.fc2": "mlp.fc2",
};
const TEXT_LAYER: Record<string, string> = {
  "norm1": "attention.output.LayerNorm",
  "norm2": "output.LayerNorm",
  "attention.query": "attention.self.query",
  "attention.key": "attention.self.key",
  "attention.value": "attention.self.value",
  "attention.output": "attention.output.dense",
  "mlp.fc1": "intermediate.dense",
  "mlp.fc2": "output.dense",
};
const SINGLE: Record<string, Place> = {
  "vision.trunk.patchEmbed.weight": { name: "visual.trunk.patch_embed.proj.weight", convolution: true },
  "vision.trunk.patchEmbed.bias": { name: "visual.trunk.patch_embed.proj.bias" },
  "vision.trunk.clsToken": { name: "visual.trunk.cls_token" },
  "vision.trunk.posEmbed": { name: "visual.trunk.pos_embed" },
  "vision.trunk.norm.weight": { name: "visual.trunk.norm.weight" },
  "vision.trunk.norm.bias": { name: "visual.trunk.norm.bias" },
  "vision.head.weight": { name: "visual.head.proj.weight" },
  "text.trunk.word": { name: "text.transformer.embeddings.word_embeddings.weight" },
  "text.trunk.position": { name: "text.transformer.embeddings.position_embeddings.weight" },
  "text.trunk.tokenType": { name: "text.transformer.embeddings.token_type_embeddings.weight" },
  "text.trunk.norm.weight": { name: "text.transformer.embeddings.LayerNorm.weight" },
  "text.trunk.norm.bias": { name: "text.transformer.embeddings.LayerNorm.bias" },
  "text.head.fc1.weight": { name: "text.proj.0.weight" },
  "text.head.fc2.weight": { name: "text.proj.2.weight" },
  "logitScale": { name: "logit_scale" },
};
const THIRDS: Record<string, 0 | 1 | 2> = { "attention.query": 0, "attention.key": 1, "attention.value": 2 };

function placeOf(leaf: string): Place {
  const single = SINGLE[leaf];
  if (single) return single;
  const [, tower, index, layer, kind] =
    /^(vision|text)\.trunk\.(?:blocks|layers)\.(\d+)\.(.+)\.(weight|bias)$/.exec(leaf) ?? [];
  if (tower === "text") return { name: `text.transformer.encoder.layer.${index}.${TEXT_LAYER[layer!]}.${kind}` };
  const third = THIRDS[layer!];
  if (third !== undefined) return { name: `visual.trunk.blocks.${index}.attn.qkv.${kind}`, third };
  return { name: `visual.trunk.blocks.${index}.${VISION_BLOCK[layer!]}.${kind}` };
}

function checkpointShape(place: Place, shape: readonly number[]): number[] {
  if (place.third !== undefined) return [3 * shape[0]!, ...shape.slice(1)];
  if (place.convolution) {
    const side = Math.sqrt(shape[1]! / 3);
    return [shape[0]!, 3, side, side];
  }
  return [...shape];
}

/** Every tensor a checkpoint of this configuration must hold, with its shape. */
export function expectedCheckpoint(config: BiomedClipConfig): Map<string, number[]> {
  const out = new Map<string, number[]>();
  walk(config, (leaf, shape) => {
    const place = placeOf(leaf);
    out.set(place.name, checkpointShape(place, shape));
  });
  return out;
}

/** Visits every leaf of a configuration's tree without making its tensors. */
function walk(config: BiomedClipConfig, visit: (leaf: string, shape: number[]) => void): void {
  buildBiomedClip(config, (leaf, shape) => {
    visit(leaf, shape);
    return null as unknown as Tensor;
  });
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
  base: BiomedClipConfig,
): BiomedClipConfig {
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
  config: BiomedClipConfig,
  read: (name: string) => Promise<CheckpointTensor>,
): Promise<BiomedClipParams> {
  const leaves = new Map<string, number[]>();
  walk(config, (leaf, shape) => leaves.set(leaf, shape));
  const made = new Map<string, Tensor>();
  try {
    let previous: { name: string; tensor: CheckpointTensor } | undefined;
    for (const [leaf, shape] of inCheckpointOrder(leaves)) {
      const place = placeOf(leaf);
      const tensor = previous?.name === place.name ? previous.tensor : await read(place.name);
      previous = { name: place.name, tensor };
      const expected = checkpointShape(place, shape);
      if (expected.join() !== tensor.shape.join()) {
        throw new TypeError(
          `Cannot load "${place.name}" as it must have shape [${expected}]: current shape is [${tensor.shape}]`,
        );
      }
      made.set(leaf, tf.tensor(fromCheckpoint(place, expected, tensor.values), shape));
    }
  } catch (error) {
    for (const tensor of made.values()) tensor.dispose();
    throw error;
  }
  return buildBiomedClip(config, (leaf) => made.get(leaf)!);
}

/** Leaves that share a checkpoint tensor next to each other. */
function inCheckpointOrder(leaves: ReadonlyMap<string, number[]>): [string, number[]][] {
  const groups = new Map<string, [string, number[]][]>();
  for (const entry of leaves) {
    const { name } = placeOf(entry[0]);
    groups.set(name, [...groups.get(name) ?? [], entry]);
  }
  return [...groups.values()].flat();
}

function fromCheckpoint(place: Place, shape: readonly number[], values: Float32Array): Float32Array {
  if (place.third !== undefined) {
    const size = values.length / 3;
    return values.slice(place.third * size, (place.third + 1) * size);
  }
  return place.convolution ? permute(values, shape[0]!, 3, shape[2]! * shape[3]!) : values;
}

/** `[rows, a, b] -> [rows, b, a]`. */
function permute(values: Float32Array, rows: number, a: number, b: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < a; i++) {
      for (let j = 0; j < b; j++) out[(r * b + j) * a + i] = values[(r * a + i) * b + j]!;
    }
  }
  return out;
}

/**
 * A model's numbers under checkpoint names, in torch's layout: the inverse of {@linkcode loadBiomedClip}.
 *
 * @param params Weights without LoRA (merge first).
 */
export async function toCheckpoint(params: BiomedClipParams): Promise<Map<string, CheckpointTensor>> {
  const out = new Map<string, { shape: number[]; values: Float32Array }>();
  for (const [leaf, tensor] of namedTensors(params)) {
    const place = placeOf(leaf);
    const shape = checkpointShape(place, tensor.shape);
    const values = await tensor.data() as Float32Array;
    if (place.third === undefined) {
      out.set(place.name, {
        shape,
        values: place.convolution ? permute(values, shape[0]!, shape[2]! * shape[3]!, 3) : new Float32Array(values),
      });
      continue;
    }
    if (!out.has(place.name)) out.set(place.name, { shape, values: new Float32Array(3 * values.length) });
    out.get(place.name)!.values.set(values, place.third * values.length);
  }
  return out;
}
