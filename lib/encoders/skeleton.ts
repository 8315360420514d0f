/** The shape of a model's tree, once: initialisation and loading both fill it. @module */
import type { LayerNormParams } from "../nn/layer_norm.ts";
import type { LinearParams } from "../nn/linear.ts";
import type { BlockParams } from "../nn/transformer.ts";
import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from "../tensor/types.ts";
import type { BiomedClipParams } from "./biomed_clip.ts";
import type { BiomedClipConfig } from "./config.ts";

/** What a leaf is for; it decides how the leaf starts out. */
export type LeafRole = "weight" | "bias" | "gain" | "embedding" | "logitScale";

/** Makes the tensor of one leaf, given its dotted name, shape and role. */
export type MakeLeaf = (name: string, shape: number[], role: LeafRole) => Tensor;

/**
 * Builds a model's tree, asking `leaf` for every tensor in order.
 *
 * @param config Sizes.
 * @param leaf Called once for each tensor.
 */
export function buildBiomedClip(config: BiomedClipConfig, leaf: MakeLeaf): BiomedClipParams {
  const { vision, text, embedding } = config;
  const dense = (outSize: number, inSize: number, name: string, bias = true): LinearParams => ({
    weight: leaf(`${name}.weight`, [outSize, inSize], "weight") as Tensor2D,
    ...(bias ? { bias: leaf(`${name}.bias`, [outSize], "bias") as Tensor1D } : {}),
  });
  const norm = (width: number, name: string): LayerNormParams => ({
    weight: leaf(`${name}.weight`, [width], "gain") as Tensor1D,
    bias: leaf(`${name}.bias`, [width], "bias") as Tensor1D,
  });
  const block = (width: number, hidden: number, name: string): BlockParams => ({
    norm1: norm(width, `${name}.norm1`),
    attention: {
      query: dense(width, width, `${name}.attention.query`),
      key: dense(width, width, `${name}.attention.key`),
      value: dense(width, width, `${name}.attention.value`),
      output: dense(width, width, `${name}.attention.output`),
    },
    norm2: norm(width, `${name}.norm2`),
    mlp: { fc1: dense(hidden, width, `${name}.mlp.fc1`), fc2: dense(width, hidden, `${name}.mlp.fc2`) },
  });
  const stack = (depth: number, width: number, hidden: number, name: string): BlockParams[] =>
    Array.from({ length: depth }, (_, i) => block(width, hidden, `${name}.${i}`));
  const table = (rows: number, width: number, name: string): Tensor2D =>
    leaf(name, [rows, width], "embedding") as Tensor2D;
  const patches = (vision.imageSize / vision.patchSize) ** 2;
  return {
    vision: {
      trunk: {
        patchEmbed: dense(vision.width, vision.patchSize ** 2 * 3, "vision.trunk.patchEmbed"),
        clsToken: leaf("vision.trunk.clsToken", [1, 1, vision.width], "embedding") as Tensor3D,
        posEmbed: leaf("vision.trunk.posEmbed", [1, patches + 1, vision.width], "embedding") as Tensor3D,
        blocks: stack(vision.depth, vision.width, vision.mlpWidth, "vision.trunk.blocks"),
        norm: norm(vision.width, "vision.trunk.norm"),
      },
      head: dense(embedding, vision.width, "vision.head", false),
    },
    text: {
      trunk: {
        word: table(text.vocabularySize, text.width, "text.trunk.word"),
        position: table(text.positions, text.width, "text.trunk.position"),
        tokenType: table(2, text.width, "text.trunk.tokenType"),
        norm: norm(text.width, "text.trunk.norm"),
        layers: stack(text.depth, text.width, text.mlpWidth, "text.trunk.layers"),
      },
      head: {
        fc1: dense(text.headWidth, text.width, "text.head.fc1", false),
        fc2: dense(embedding, text.headWidth, "text.head.fc2", false),
      },
    },
    logitScale: leaf("logitScale", [], "logitScale") as BiomedClipParams["logitScale"],
  };
}
