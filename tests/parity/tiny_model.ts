/** The reference's tiny model as this package's records. @module */
import * as tf from "@tensorflow/tfjs";
import { type AceLoraConfig, type AceLoraParams, initAceLora } from "../../lib/ace_lora.ts";
import type { ClipParams } from "../../lib/clip/params.ts";
import { BIOMED_CLIP_LAYOUT } from "../../lib/clip/checkpoint/layout.ts";
import { loadClipTensors } from "../../lib/clip/checkpoint/tensors.ts";
import { BIOMED_CLIP } from "../../lib/clip/architectures.ts";
import type { ClipConfig } from "../../lib/clip/config.ts";
import type { AceHgnnConfig, AceHgnnParams } from "../../lib/hypergraph/ace_hgnn.ts";
import type { AdapterParams } from "../../lib/hypergraph/adapter.ts";
import { ACE_LORA_LORA, type LoraConfig } from "../../lib/peft/lora/config.ts";
import { TARGET_LAYERS } from "../../lib/peft/lora/inject.ts";
import type { LoraTarget } from "../../lib/peft/lora/config.ts";
import { namedTensors, withTensors } from "../../lib/tensor/params.ts";
import type { Tensor, Tensor1D, Tensor2D } from "../../lib/tensor/types.ts";
import { type Fixture, pick, toTensor } from "./fixtures.ts";

/** `TINY` of reference/config.py. */
export const TINY: ClipConfig = {
  ...BIOMED_CLIP,
  vision: {
    ...BIOMED_CLIP.vision,
    imageSize: 32,
    patchSize: 8,
    width: 32,
    depth: 2,
    heads: 4,
    mlpWidth: 64,
    epsilon: 1e-6,
  },
  text: {
    ...BIOMED_CLIP.text,
    vocabularySize: 64,
    contextLength: 12,
    positions: 16,
    width: 32,
    depth: 2,
    heads: 4,
    mlpWidth: 64,
    headWidth: 24,
    epsilon: 1e-12,
    dropout: 0,
  },
  embedding: 16,
};

/** LoRA on q, k, v of every layer of both encoders, without dropout. */
export const QKV: LoraConfig = { ...ACE_LORA_LORA, dropout: 0 };
/** ACE-HGNN on both encoders. */
export const HGNN: AceHgnnConfig = { topK: 3, hidden: 8, encoders: ["image", "text"] };

/** The frozen weights. */
export function loadBase(weights: Fixture): Promise<ClipParams> {
  return loadClipTensors(TINY, BIOMED_CLIP_LAYOUT, (name) => {
    const { shape, data } = pick(weights, name);
    return Promise.resolve({ shape, values: data as Float32Array });
  });
}

/** The reference's name of a trainable leaf: `lora.visual.0.q.A`, `hgnn.visual.edge.down.weight`, `scale`. */
export function referenceName(leaf: string): string {
  const lora = /^(vision|text)\.trunk\.(?:blocks|layers)\.(\d+)\.attention\.(\w+)\.lora\.lora([AB])$/.exec(leaf);
  if (!lora) return leaf.replace("hgnn.image.", "hgnn.visual.");
  const target = (Object.keys(TARGET_LAYERS) as LoraTarget[]).find((key) => TARGET_LAYERS[key] === lora[3]);
  return `lora.${lora[1] === "vision" ? "visual" : "text"}.${lora[2]}.${target}.${lora[4]}`;
}

/** The tiny model with what `add` asks for, every trainable leaf taken from the fixture. */
export async function loadModel(
  weights: Fixture,
  add: Omit<AceLoraConfig, "encoders">,
): Promise<{ params: AceLoraParams; config: AceLoraConfig }> {
  const config = { ...add, encoders: TINY };
  const base = await loadBase(weights);
  const params = await initAceLora(base, config);
  const frozen = new Set(namedTensors(base).keys());
  const leaves = [...namedTensors(params).keys()].filter((name) => !frozen.has(name));
  const replacements = new Map(
    leaves.map((leaf) => [leaf, toTensor(weights, referenceName(leaf))] as [string, Tensor]),
  );
  return { params: withTensors(params, replacements), config };
}

/** ACE-HGNN's weights under `prefix` (`hgnn.visual`, or `hgnn` in cases_hgnn). */
export function hgnnParams(fixture: Fixture, prefix: string): AceHgnnParams {
  const adapter = (part: string): AdapterParams => {
    const layer = (name: string): AdapterParams["down"] => ({
      weight: toTensor(fixture, `${prefix}.${part}.${name}.weight`) as Tensor2D,
      bias: toTensor(fixture, `${prefix}.${part}.${name}.bias`) as Tensor1D,
    });
    return { down: layer("down"), up: layer("up") };
  };
  return { edge: adapter("edge"), node: adapter("node") };
}

/** Value and gradients of a scalar function of a tree with the named leaves exchanged. */
export function gradientsOf<T>(
  tree: T,
  leaves: ReadonlyMap<string, Tensor>,
  loss: (tree: T) => tf.Scalar,
): { value: tf.Scalar; gradients: Map<string, Tensor> } {
  const names = [...leaves.keys()];
  const run = tf.valueAndGrads((...tensors: Tensor[]) =>
    loss(withTensors(tree, new Map(names.map((name, i) => [name, tensors[i]!]))))
  );
  const { value, grads } = run([...leaves.values()]);
  return { value: value as tf.Scalar, gradients: new Map(names.map((name, i) => [name, grads[i]!])) };
}
