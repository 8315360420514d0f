/** A Swin Transformer as image tower. @module */
import * as tf from "@tensorflow/tfjs";
import { linear, type LinearParams } from "../../nn/linear.ts";
import { layerNorm, type LayerNormParams } from "../../nn/layer_norm.ts";
import { type BlockParams, transformer } from "../../nn/transformer.ts";
import { mergeOrder, reorder, rowOrder, type TokenOrder, windowOrder, type Windows } from "../../nn/windows.ts";
import { tidy } from "../../tensor/ops.ts";
import { deriveSeed } from "../../tensor/random.ts";
import { checkShape } from "../../tensor/shape.ts";
import { reshape } from "../../tensor/typed.ts";
import type { Tensor3D, Tensor4D } from "../../tensor/types.ts";
import type { SwinConfig } from "../config.ts";
import type { EncodeOptions, EncoderResult, ImageTower } from "./encoder.ts";
import type { Parts } from "./parts.ts";
import { patchify } from "./patches.ts";

/** Four tokens made one of twice the width. */
export interface PatchMerging {
  /** Over the four side by side, width 4 D. */
  norm: LayerNormParams;
  /** Shape `[2 D, 4 D]`, without bias. */
  reduction: LinearParams;
}

/** Weights of a Swin Transformer. */
export interface SwinTrunk {
  /** Patch embedding, `[D, P·P·3]` with the input in (row, column, channel) order. */
  patchEmbed: LinearParams;
  /** LayerNorm of the embedded patches. */
  normPre: LayerNormParams;
  /** Pre-norm blocks, stage after stage. */
  blocks: BlockParams[];
  /** Between each stage and the next. */
  merges: PatchMerging[];
  /** Final LayerNorm over all tokens. */
  norm: LayerNormParams;
}

/** Tokens of a map, and the order they are in. */
interface OrderedMap {
  tokens: Tensor3D;
  order: TokenOrder;
}

/**
 * Embedded patches, stages of blocks over windows, every second block over windows moved by half, tokens merged four to one
 * between the stages, the final norm. Read is the mean of the last tokens, or the first of them; they follow it.
 *
 * The tokens stand window by window, so that a block is an ordinary one over windows as samples.
 *
 * Source: Liu et al., Swin Transformer, 2021; transformers `SwinModel`.
 *
 * @param pixels Normalised images, shape `[B, S, S, 3]`.
 * @returns Tokens of the last stage's width; no affinity. The caller disposes them.
 * @throws {TypeError} If the images have another size.
 */
function encodeSwin(trunk: SwinTrunk, pixels: Tensor4D, config: SwinConfig, options: EncodeOptions): EncoderResult {
  const { imageSize, patchSize, stages, window, epsilon, pool } = config;
  checkShape(pixels, [null, imageSize, imageSize, 3], "pixels");
  return tidy(() => {
    let side = imageSize / patchSize;
    let map: OrderedMap = {
      tokens: layerNorm(trunk.normPre, linear(trunk.patchEmbed, patchify(pixels, patchSize)), epsilon),
      order: rowOrder(side),
    };
    let first = 0;
    stages.forEach(({ depth, heads }, stage) => {
      const blocks = trunk.blocks.slice(first, first + depth);
      map = blocks.reduce((state, block, i) => {
        const shift = i % 2 === 1 && side > window ? Math.floor(window / 2) : 0;
        const seed = options.seed === undefined ? {} : { seed: deriveSeed(options.seed, `block ${first + i}`) };
        return windowBlock(block, state, { side, window, shift }, { ...options, ...seed, heads, config });
      }, map);
      first += depth;
      const merge = trunk.merges[stage];
      if (!merge) return;
      map = {
        tokens: merged(merge, reorder(map.tokens, map.order, mergeOrder(side)), epsilon),
        order: rowOrder(side / 2),
      };
      side /= 2;
    });
    const tokens = layerNorm(trunk.norm, reorder(map.tokens, map.order, rowOrder(side)), epsilon);
    const read: Tensor3D = pool === "mean" ? tf.mean(tokens, 1, true) : tf.slice(tokens, [0, 0, 0], [-1, 1, -1]);
    return { tokens: options.clsOnly ? read : tf.concat([read, tokens], 1) };
  });
}

function windowBlock(
  block: BlockParams,
  { tokens, order }: OrderedMap,
  windows: Windows,
  { seed, recompute, heads, config }: EncodeOptions & { heads: number; config: SwinConfig },
): OrderedMap {
  const { epsilon, activation } = config;
  const wanted = windowOrder(windows);
  const size = windows.window ** 2;
  const samples = reshape(reorder(tokens, order, wanted), [
    tokens.size / size / tokens.shape[2],
    size,
    tokens.shape[2],
  ]);
  const result = transformer([block], samples, {
    ...{ heads, epsilon, activation, windows, order: "pre" },
    ...(seed === undefined ? {} : { seed }),
    ...(recompute ? { recompute } : {}),
  });
  return { tokens: reshape(result.tokens, tokens.shape), order: wanted };
}

function merged({ norm, reduction }: PatchMerging, tokens: Tensor3D, epsilon: number): Tensor3D {
  const [batch, count, width] = tokens.shape;
  return linear(reduction, layerNorm(norm, reshape(tokens, [batch, count / 4, 4 * width]), epsilon));
}

function buildSwin({ patchSize, width, stages, window, mlpRatio }: SwinConfig, make: Parts): SwinTrunk {
  const trunk = "vision.trunk";
  const widthOf = (stage: number): number => width / 2 ** (stages.length - 1 - stage);
  const stageOf = stages.flatMap(({ depth }, stage) => new Array<number>(depth).fill(stage));
  return {
    patchEmbed: make.dense(widthOf(0), patchSize ** 2 * 3, `${trunk}.patchEmbed`),
    normPre: make.norm(widthOf(0), `${trunk}.normPre`),
    blocks: stageOf.map((stage, i) => {
      const name = `${trunk}.blocks.${i}`;
      const block = make.block(widthOf(stage), mlpRatio * widthOf(stage), name);
      const rows = (2 * window - 1) ** 2;
      const relativeBias = make.table(rows, stages[stage]!.heads, `${name}.attention.relativeBias`);
      return { ...block, attention: { ...block.attention, relativeBias } };
    }),
    merges: stages.slice(1).map((_, i) => ({
      norm: make.norm(4 * widthOf(i), `${trunk}.merges.${i}.norm`),
      reduction: make.dense(2 * widthOf(i), 4 * widthOf(i), `${trunk}.merges.${i}.reduction`, false),
    })),
    norm: make.norm(width, `${trunk}.norm`),
  };
}

/** The Swin Transformers. */
export const SWIN_TOWER: ImageTower<SwinConfig, SwinTrunk> = {
  encode: encodeSwin,
  grid: ({ imageSize, patchSize, stages }) => imageSize / patchSize / 2 ** (stages.length - 1),
  heads: () => 0,
  numbers: ({ imageSize, patchSize, width, stages }) =>
    stages.reduce((sum, { depth }, stage) => {
      const side = imageSize / patchSize / 2 ** stage;
      return sum + depth * side ** 2 * width / 2 ** (stages.length - 1 - stage);
    }, 0),
  describe: ({ patchSize, stages, window, width, pool }) =>
    `Swin Transformer of ${
      stages.map(({ depth }) => depth).join("-")
    } blocks to a width of ${width}, patches of ${patchSize}, windows of ${window}; read at ${
      pool === "mean" ? "the mean of its last tokens" : "the first of its last tokens"
    }`,
  build: buildSwin,
};
