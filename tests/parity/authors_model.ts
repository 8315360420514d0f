/** The weights and inputs under which the authors' own modules were run; see fixtures/authors_card.json. @module */
import * as tf from "@tensorflow/tfjs";
import { type AceLoraConfig, type AceLoraParams, initAceLora } from "../../lib/ace_lora.ts";
import { BIOMED_CLIP_LAYOUT } from "../../lib/clip/checkpoint/layout.ts";
import { expectedClip, loadClipTensors } from "../../lib/clip/checkpoint/tensors.ts";
import type { ClipParams } from "../../lib/clip/params.ts";
import { BIOMED_CLIP } from "../../lib/clip/architectures.ts";
import type { ClipConfig } from "../../lib/clip/config.ts";
import { ACE_LORA_HGNN } from "../../lib/hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { namedTensors, withTensors } from "../../lib/tensor/params.ts";
import type { Tensor, Tensor2D, Tensor4D } from "../../lib/tensor/types.ts";
import type { BatchSource } from "../../lib/train/source.ts";
import card from "./fixtures/authors_card.json" with { type: "json" };
import { referenceName } from "./tiny_model.ts";

/** BiomedCLIP's widths, the towers cut to two layers, 512 words, no dropout. */
export const CUT: ClipConfig = {
  ...BIOMED_CLIP,
  vision: { ...BIOMED_CLIP.vision, depth: 2 },
  text: { ...BIOMED_CLIP.text, depth: 2, vocabularySize: 512, dropout: 0 },
};

/** The paper's settings, without dropout. */
export const PAPER: AceLoraConfig = { encoders: CUT, lora: { ...ACE_LORA_LORA, dropout: 0 }, hgnn: ACE_LORA_HGNN };

/** Uniform numbers in `[0, 1)`: place in the tensor plus FNV-1a of its name, through MurmurHash3's finaliser. */
export function uniform(name: string, count: number): Float64Array {
  let seed = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) seed = Math.imul(seed ^ name.charCodeAt(i), 0x01000193);
  return Float64Array.from({ length: count }, (_, i) => {
    let x = Math.imul(i + seed, 0x9e3779b1);
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return ((x ^ (x >>> 16)) >>> 0) / 4294967296;
  });
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

function numbers(name: string, shape: readonly number[], std: number, mean = 0): Float32Array {
  return Float32Array.from(uniform(name, product(shape)), (u) => (2 * u - 1) * (Math.sqrt(3) * std) + mean);
}

/** A frozen weight, by its checkpoint name. */
function frozen(name: string, shape: readonly number[]): Float32Array {
  if (name === "logit_scale") return new Float32Array([4.4454]);
  if (/(norm|norm1|norm2|LayerNorm)\.weight$/.test(name)) return numbers(name, shape, 0.1, 1);
  if (/(norm|norm1|norm2|LayerNorm)\.bias$/.test(name)) return numbers(name, shape, 0.05);
  if (name.endsWith(".bias")) return numbers(name, shape, 0.02);
  if (/(cls_token|pos_embed)$/.test(name)) return numbers(name, shape, 0.2);
  if (name.includes("word_embeddings")) return numbers(name, shape, 0.05);
  if (name.includes("embeddings")) return numbers(name, shape, 0.02);
  return numbers(name, shape, 1 / Math.sqrt(product(shape.slice(1))));
}

/** A trained weight, by its name in the fixture. */
function trained(name: string, shape: readonly number[]): Float32Array {
  if (name.startsWith("lora.")) return numbers(name, shape, name.endsWith(".A") ? 1 / Math.sqrt(768) : 0.05);
  return numbers(name, shape, name.endsWith("bias") ? 0.03 : Math.sqrt(2 / shape[1]!));
}

let frozenModel: Promise<ClipParams> | undefined;

/** The frozen weights, drawn once. */
function frozenWeights(): Promise<ClipParams> {
  const shapes = expectedClip(CUT, BIOMED_CLIP_LAYOUT);
  return frozenModel ??= loadClipTensors(CUT, BIOMED_CLIP_LAYOUT, (name) => {
    const shape = shapes.get(name)!;
    return Promise.resolve({ shape: [...shape], values: frozen(name, shape) });
  });
}

/** The model with what the configuration adds. */
export async function authorsModel(config: AceLoraConfig): Promise<AceLoraParams> {
  const base = await frozenWeights();
  const params = await initAceLora(base, config);
  const known = new Set(namedTensors(base).keys());
  const added = [...namedTensors(params)].filter(([name]) => !known.has(name) && name !== "scale");
  const leaves = added.map(([leaf, { shape }]) =>
    [leaf, tf.tensor(trained(referenceName(leaf), shape), shape)] as [string, Tensor]
  );
  return withTensors(params, new Map(leaves));
}

/** Images `[8, 224, 224, 3]`; the authors' are the same numbers, channels first. */
function images(): Float32Array {
  const first = numbers("pixels", [8, 3, 224, 224], 1);
  const plane = 224 * 224;
  return first.map((_, i) => {
    const [image, rest] = [Math.floor(i / (3 * plane)), i % (3 * plane)];
    return first[image * 3 * plane + (rest % 3) * plane + Math.floor(rest / 3)]!;
  });
}

function texts(): Int32Array {
  const ids = new Int32Array(8 * 256);
  for (const [row, length] of card.lengths.entries()) {
    ids.set(Int32Array.from(uniform(`text ${row}`, length), (u) => 5 + Math.floor(u * 507)), 256 * row);
    ids[256 * row] = 2;
    ids[256 * row + length - 1] = 3;
  }
  return ids;
}

/** The eight pairs, and tensors of some of them. */
export function authorsPairs(): BatchSource & {
  image(rows: readonly number[]): Promise<Tensor4D>;
  text(rows: readonly number[]): Promise<Tensor2D>;
} {
  const [all, words] = [images(), texts()];
  const pixels = (rows: readonly number[]) => {
    const size = 224 * 224 * 3;
    const out = new Float32Array(rows.length * size);
    rows.forEach((row, i) => out.set(all.subarray(row * size, (row + 1) * size), i * size));
    return Promise.resolve(out);
  };
  const ids = (rows: readonly number[]) => {
    const out = new Int32Array(rows.length * 256);
    rows.forEach((row, i) => out.set(words.subarray(row * 256, (row + 1) * 256), i * 256));
    return Promise.resolve(out);
  };
  return {
    size: 8,
    imageSize: 224,
    contextLength: 256,
    pixels,
    ids,
    labels: (rows) => Promise.resolve(rows.map((row) => card.labels[row] as (0 | 1)[])),
    image: async (rows) => tf.tensor4d(await pixels(rows), [rows.length, 224, 224, 3]) as Tensor4D,
    text: async (rows) => tf.tensor2d(await ids(rows), [rows.length, 256], "int32") as Tensor2D,
  };
}
