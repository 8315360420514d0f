/** The tree of a CLIP's weights, once: random weights, loading and counting all fill it. @module */
import * as tf from "@tensorflow/tfjs";
import { normal, ones, zeros } from "../tensor/init.ts";
import type { Scalar, Tensor } from "../tensor/types.ts";
import type { ClipConfig } from "./config.ts";
import { type MakeLeaf, type Parts, parts } from "./towers/parts.ts";
import { buildImageTower, type ImageTowerParams } from "./towers/image.ts";
import { buildHead } from "./towers/head.ts";
import { textHead, type TextTowerParams } from "./towers/text.ts";

/** Weights of a CLIP; the blocks stand where LoRA looks for them. */
export interface ClipParams {
  /** Image tower and its projection. */
  vision: ImageTowerParams;
  /** Text tower and its projection. */
  text: TextTowerParams;
  /** Logarithm of the similarity's scale. */
  logitScale: Scalar;
  /** Added to the scaled similarity of each pair, where the similarity is a sigmoid. */
  logitBias?: Scalar;
}

/**
 * Builds a CLIP's tree, asking `makeLeaf` for every tensor in order.
 *
 * @param config Sizes.
 * @param makeLeaf Called once for each tensor.
 */
export function buildClip(config: ClipConfig, makeLeaf: MakeLeaf): ClipParams {
  const make = parts(makeLeaf);
  const { vision, text, embedding } = config;
  return {
    vision: {
      ...buildImageTower(vision, embedding, make),
      // The map of the last stage but one is half as wide.
      ...(config.local ? { local: make.dense(embedding, vision.width / 2, "vision.local", false) } : {}),
    },
    text: textParams(text, embedding, make),
    logitScale: make.leaf("logitScale", [], "logitScale"),
    ...(config.similarity === "sigmoid" ? { logitBias: make.leaf("logitBias", [], "logitBias") } : {}),
  };
}

/** Of an image tower alone: no leaves. Whoever would read one asks the configuration first, as `encodeText` does. */
const NO_TEXT_TOWER = { trunk: { layers: [] } } as unknown as TextTowerParams;

function textParams(text: ClipConfig["text"], embedding: number, make: Parts): TextTowerParams {
  if (text.kind === "none") return NO_TEXT_TOWER;
  const { width, vocabularySize, positions, depth, mlpWidth } = text;
  const hidden = text.kind === "bert" ? text.headWidth : 0;
  const head = (): Pick<TextTowerParams, "head"> =>
    buildHead(textHead(text), { width, embedding, hidden }, make, "text.head");
  const word = make.table(vocabularySize, width, "text.trunk.word");
  const position = make.table(positions, width, "text.trunk.position");
  if (text.kind !== "bert") {
    const layers = make.stack(depth, width, mlpWidth, "text.trunk.layers");
    const norm = make.norm(width, "text.trunk.norm");
    return { trunk: { word, position, layers, norm }, ...head() };
  }
  return {
    trunk: {
      word,
      position,
      tokenType: make.table(text.tokenTypes, width, "text.trunk.tokenType"),
      norm: make.norm(width, "text.trunk.norm"),
      layers: make.stack(depth, width, mlpWidth, "text.trunk.layers"),
      ...(text.pool === "pooler" ? { pooler: make.dense(width, width, "text.trunk.pooler") } : {}),
    },
    ...head(),
  };
}

/** The shape of every leaf by its dotted name, without making a tensor. */
export function clipShapes(config: ClipConfig): Map<string, number[]> {
  const out = new Map<string, number[]>();
  buildClip(config, (name, shape) => {
    out.set(name, shape);
    return null as unknown as Tensor;
  });
  return out;
}

/**
 * How many numbers a CLIP of this configuration has, optionally only in leaves `keep` accepts; makes no tensor.
 *
 * @example Of two published models
 * ```ts
 * import { CLIP_VIT_B_32, countClip, MED_SIGLIP_448 } from "@ace-lora/ace-lora/clip";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([countClip(CLIP_VIT_B_32), countClip(MED_SIGLIP_448)], [151_277_313, 878_300_338]);
 * ```
 */
export function countClip(config: ClipConfig, keep: (name: string) => boolean = () => true): number {
  let total = 0;
  for (const [name, shape] of clipShapes(config)) if (keep(name)) total += shape.reduce((a, b) => a * b, 1);
  return total;
}

/**
 * A freshly initialised CLIP: normal weights of standard deviation `1/√fanIn` (0.02 for embeddings), zero biases, unit gains,
 * logit scale `log(1 / 0.07)`; with a sigmoid similarity `log(10)` and bias -10, SigLIP's start.
 *
 * @param config Sizes.
 * @param seed The same seed gives the same weights.
 * @returns New tensors, freed by `disposeParams`.
 */
export function initClip(config: ClipConfig, seed: number): ClipParams {
  return buildClip(config, (name, shape, role) => {
    if (role === "weight") return normal(shape, 1 / Math.sqrt(shape[1]!), seed, name);
    if (role === "embedding") return normal(shape, 0.02, seed, name);
    if (role === "logitScale") {
      return tf.scalar(Math.log(config.scale ?? (config.similarity === "sigmoid" ? 10 : 1 / 0.07)));
    }
    if (role === "logitBias") return tf.scalar(-10);
    return role === "gain" ? ones(shape) : zeros(shape);
  });
}
