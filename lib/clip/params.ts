/** The tree of a CLIP's weights, once: random weights, loading and counting all fill it. @module */
import * as tf from "@tensorflow/tfjs";
import type { AttentionPoolParams } from "../nn/attention_pool.ts";
import type { LayerNormParams } from "../nn/layer_norm.ts";
import type { LinearParams } from "../nn/linear.ts";
import type { AttentionParams } from "../nn/attention.ts";
import type { MlpParams } from "../nn/mlp.ts";
import type { BlockParams } from "../nn/transformer.ts";
import { normal, ones, zeros } from "../tensor/init.ts";
import type { Scalar, Tensor, Tensor2D, TensorOf } from "../tensor/types.ts";
import type { ClipConfig } from "./config.ts";
import type { ImageTowerParams } from "./towers/image.ts";
import type { TextTowerParams } from "./towers/text.ts";

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

/** What a leaf is for; it decides how the leaf starts out. */
export type LeafRole = "weight" | "bias" | "gain" | "embedding" | "logitScale" | "logitBias";

/** Makes the tensor of one leaf, given its dotted name, shape and role. */
export type MakeLeaf = (name: string, shape: number[], role: LeafRole) => Tensor;

/** Makers of the parts that towers are built of. */
interface Parts {
  dense(outSize: number, inSize: number, name: string, bias?: boolean): LinearParams;
  norm(width: number, name: string): LayerNormParams;
  stack(depth: number, width: number, hidden: number, name: string): BlockParams[];
  attentionPool(width: number, hidden: number, name: string): AttentionPoolParams;
  table(rows: number, width: number, name: string): Tensor2D;
}

/** A leaf's maker whose result has the rank of the shape. */
type TypedLeaf = <const Shape extends readonly number[]>(name: string, shape: Shape, role: LeafRole) => TensorOf<Shape>;

function parts(leaf: TypedLeaf): Parts {
  const dense = (outSize: number, inSize: number, name: string, bias = true): LinearParams => ({
    weight: leaf(`${name}.weight`, [outSize, inSize], "weight"),
    ...(bias ? { bias: leaf(`${name}.bias`, [outSize], "bias") } : {}),
  });
  const norm = (width: number, name: string): LayerNormParams => ({
    weight: leaf(`${name}.weight`, [width], "gain"),
    bias: leaf(`${name}.bias`, [width], "bias"),
  });
  const attention = (width: number, name: string): AttentionParams => ({
    query: dense(width, width, `${name}.query`),
    key: dense(width, width, `${name}.key`),
    value: dense(width, width, `${name}.value`),
    output: dense(width, width, `${name}.output`),
  });
  const mlp = (width: number, hidden: number, name: string): MlpParams => ({
    fc1: dense(hidden, width, `${name}.fc1`),
    fc2: dense(width, hidden, `${name}.fc2`),
  });
  const block = (width: number, hidden: number, name: string): BlockParams => ({
    norm1: norm(width, `${name}.norm1`),
    attention: attention(width, `${name}.attention`),
    norm2: norm(width, `${name}.norm2`),
    mlp: mlp(width, hidden, `${name}.mlp`),
  });
  return {
    dense,
    norm,
    stack: (depth, width, hidden, name) =>
      Array.from({ length: depth }, (_, i) => block(width, hidden, `${name}.${i}`)),
    attentionPool: (width, hidden, name) => ({
      probe: leaf(`${name}.probe`, [1, 1, width], "embedding"),
      attention: attention(width, `${name}.attention`),
      norm: norm(width, `${name}.norm`),
      mlp: mlp(width, hidden, `${name}.mlp`),
    }),
    table: (rows, width, name) => leaf(name, [rows, width], "embedding"),
  };
}

/**
 * Builds a CLIP's tree, asking `makeLeaf` for every tensor in order.
 *
 * @param config Sizes.
 * @param makeLeaf Called once for each tensor.
 */
export function buildClip(config: ClipConfig, makeLeaf: MakeLeaf): ClipParams {
  const leaf: TypedLeaf = (name, shape, role) => makeLeaf(name, [...shape], role) as TensorOf<typeof shape>;
  const { vision, text, embedding } = config;
  const make = parts(leaf);
  const patches = (vision.imageSize / vision.patchSize) ** 2;
  const isClip = vision.kind === "clip";
  const isPooled = vision.pool === "attention";
  const trunk = "vision.trunk";
  return {
    vision: {
      trunk: {
        patchEmbed: make.dense(vision.width, vision.patchSize ** 2 * 3, `${trunk}.patchEmbed`, !isClip),
        ...(isPooled ? {} : { clsToken: leaf(`${trunk}.clsToken`, [1, 1, vision.width], "embedding") }),
        posEmbed: leaf(`${trunk}.posEmbed`, [1, patches + (isPooled ? 0 : 1), vision.width], "embedding"),
        ...(isClip ? { normPre: make.norm(vision.width, `${trunk}.normPre`) } : {}),
        blocks: make.stack(vision.depth, vision.width, vision.mlpWidth, `${trunk}.blocks`),
        norm: make.norm(vision.width, `${trunk}.norm`),
        ...(vision.pool === "pooler" ? { pooler: make.dense(vision.width, vision.width, `${trunk}.pooler`) } : {}),
        ...(isPooled ? { pool: make.attentionPool(vision.width, vision.mlpWidth, `${trunk}.pool`) } : {}),
      },
      ...(isPooled ? {} : { head: make.dense(embedding, vision.width, "vision.head", false) }),
    },
    text: textParams(text, embedding, make),
    logitScale: leaf("logitScale", [], "logitScale"),
    ...(config.similarity === "sigmoid" ? { logitBias: leaf("logitBias", [], "logitBias") } : {}),
  };
}

function textParams(text: ClipConfig["text"], embedding: number, make: Parts): TextTowerParams {
  const { width, vocabularySize, positions, depth, mlpWidth } = text;
  const word = make.table(vocabularySize, width, "text.trunk.word");
  const position = make.table(positions, width, "text.trunk.position");
  if (text.kind !== "bert") {
    const layers = make.stack(depth, width, mlpWidth, "text.trunk.layers");
    const norm = make.norm(width, "text.trunk.norm");
    const head = make.dense(embedding, width, "text.head", text.kind === "siglip");
    return { trunk: { word, position, layers, norm }, head };
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
    head: text.head === "linear" ? make.dense(embedding, width, "text.head", false) : {
      fc1: make.dense(text.headWidth, width, "text.head.fc1", false),
      fc2: make.dense(embedding, text.headWidth, "text.head.fc2", false),
    },
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

/** How many numbers a CLIP of this configuration has, optionally only in leaves `keep` accepts; makes no tensor. */
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
    if (role === "logitScale") return tf.scalar(Math.log(config.similarity === "sigmoid" ? 10 : 1 / 0.07));
    if (role === "logitBias") return tf.scalar(-10);
    return role === "gain" ? ones(shape) : zeros(shape);
  });
}
