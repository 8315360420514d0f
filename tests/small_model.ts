/** A model small enough for every backend, software WebGPU included. @module */
import * as tf from "@tensorflow/tfjs";
import type { AceLoraConfig } from "../lib/ace_lora.ts";
import { BIOMED_CLIP } from "../lib/clip/architectures.ts";
import type { BertConfig, ClipConfig, VitConfig } from "../lib/clip/config.ts";
import { ACE_LORA_LORA } from "../lib/peft/lora/config.ts";
import { gaussian, mulberry32 } from "../lib/tensor/random.ts";
import type { Tensor2D, Tensor4D } from "../lib/tensor/types.ts";
import type { BatchSource } from "../lib/train/source.ts";

/** 16 patches, width 16, two layers. */
export const SMALL: ClipConfig & { vision: VitConfig; text: BertConfig } = {
  ...BIOMED_CLIP,
  vision: {
    ...BIOMED_CLIP.vision,
    imageSize: 16,
    patchSize: 4,
    width: 16,
    depth: 2,
    heads: 2,
    mlpWidth: 32,
    epsilon: 1e-6,
  },
  text: {
    ...BIOMED_CLIP.text,
    vocabularySize: 40,
    contextLength: 10,
    positions: 12,
    width: 16,
    depth: 2,
    heads: 2,
    mlpWidth: 32,
    headWidth: 12,
    epsilon: 1e-12,
    dropout: 0.1,
  },
  embedding: 8,
};

/** LoRA and ACE-HGNN on both encoders. */
export const SMALL_ACE: AceLoraConfig = {
  encoders: SMALL,
  lora: ACE_LORA_LORA,
  hgnn: { topK: 3, hidden: 4, encoders: ["image", "text"] },
};

/** Seeded normal pixels `[count, 16, 16, 3]`. */
export function smallPixels(count: number, seed = 5): Tensor4D {
  const rng = mulberry32(seed);
  const data = Float32Array.from({ length: count * 16 * 16 * 3 }, () => gaussian(rng));
  return tf.tensor4d(data, [count, 16, 16, 3]) as Tensor4D;
}

/** Seeded token ids `[count, 10]`: `[CLS] words [SEP]` and pads. */
export function smallIds(count: number, seed = 6): Tensor2D {
  const rng = mulberry32(seed);
  const rows = Array.from({ length: count }, () => {
    const words = 1 + Math.floor(rng() * 8);
    return [2, ...Array.from({ length: words }, () => 5 + Math.floor(rng() * 35)), 3, ...new Array(10).fill(0)].slice(
      0,
      10,
    );
  });
  return tf.tensor2d(rows, [count, 10], "int32") as Tensor2D;
}

/** Random pairs as a source of batches; `labels` has one row a pair. */
export async function smallSource(count: number, labelled = true): Promise<BatchSource> {
  const [pixels, ids] = [smallPixels(count), smallIds(count)];
  const [pixelData, idData] = [await pixels.data() as Float32Array, await ids.data() as Int32Array];
  tf.dispose([pixels, ids]);
  const rows = <T extends Float32Array | Int32Array>(data: T, width: number, indices: readonly number[]): T => {
    const out = data.slice(0, indices.length * width);
    indices.forEach((index, i) => out.set(data.subarray(index * width, (index + 1) * width), i * width));
    return out as T;
  };
  return {
    size: count,
    imageSize: 16,
    contextLength: 10,
    ids: (indices) => Promise.resolve(rows(idData, 10, indices)),
    pixels: (indices) => Promise.resolve(rows(pixelData, 16 * 16 * 3, indices)),
    ...(labelled
      ? {
        labels: (indices) =>
          Promise.resolve(
            indices.map((index) => [index % 3 === 0 ? 1 : 0, null, index % 2 === 0 ? 1 : -1] as const),
          ),
      }
      : {}),
  };
}
