/** A Vision Transformer as image tower. @module */
import * as tf from "@tensorflow/tfjs";
import { attentionPool, type AttentionPoolParams } from "../../nn/attention_pool.ts";
import { linear, type LinearParams } from "../../nn/linear.ts";
import { dropExtra, insertAfterFirst } from "../../nn/extra_tokens.ts";
import { layerNorm, type LayerNormParams } from "../../nn/layer_norm.ts";
import { resamplePositions } from "../../nn/resample_positions.ts";
import { rotaryTable } from "../../nn/rotary.ts";
import { type BlockParams, transformer } from "../../nn/transformer.ts";
import { ones } from "../../tensor/init.ts";
import { tidy } from "../../tensor/ops.ts";
import { add, reshape } from "../../tensor/typed.ts";
import { checkShape } from "../../tensor/shape.ts";
import type { Tensor3D, Tensor4D } from "../../tensor/types.ts";
import type { VitConfig } from "../config.ts";
import type { EncodeOptions, EncoderResult, ImageTower } from "./encoder.ts";
import type { Parts } from "./parts.ts";
import { patchify } from "./patches.ts";

/** Weights of a Vision Transformer. */
export interface VitTrunk {
  /** Patch embedding, `[D, P·P·3]` with the input in (row, column, channel) order. */
  patchEmbed: LinearParams;
  /** CLS token, `[1, 1, D]`; towers that are read through attention have none. */
  clsToken?: Tensor3D;
  /** Learned tokens between CLS and patches, `[1, R, D]`; their outputs are dropped. @default {none} */
  registers?: Tensor3D;
  /** Position embedding, `[1, N + 1, D]`, or `[1, N, D]` without CLS; N is of the size it was trained at. */
  posEmbed: Tensor3D;
  /** LayerNorm before the blocks; CLIP's own towers have it. */
  normPre?: LayerNormParams;
  /** Pre-norm blocks. */
  blocks: BlockParams[];
  /** Final LayerNorm over all tokens. */
  norm: LayerNormParams;
  /** Dense layer of the pooler, `[D, D]`, where the tower reads through one. */
  pooler?: LinearParams;
  /** Attention pooling, where the tower is read through one. */
  pool?: AttentionPoolParams;
}

/**
 * Patches, CLS and positions, the blocks, the final norm. Where the tower is read through attention, the pooled token comes
 * first and the affinity is the pooling weights.
 *
 * Source: timm `vit_base_patch16_224`, `eva02_base_patch16_clip_224`; open_clip 3.3 `VisionTransformer`; transformers
 * `CLIPVisionTransformer`, `ViTModel`, `SiglipVisionModel`, `Dinov2Model`, `Dinov2WithRegistersModel`.
 *
 * @param trunk Weights.
 * @param pixels Normalised images, shape `[B, S, S, 3]`.
 * @returns Tokens of width D (the read one first) and affinity. The caller disposes both.
 * @throws {TypeError} If the images have another size.
 */
function encodeVit(
  trunk: VitTrunk,
  pixels: Tensor4D,
  config: VitConfig,
  options: EncodeOptions,
): EncoderResult {
  const { kind, imageSize, patchSize, heads, epsilon, activation } = config;
  const grid = imageSize / patchSize;
  checkShape(pixels, [null, imageSize, imageSize, 3], "pixels");
  return tidy(() => {
    const patches = linear(trunk.patchEmbed, patchify(pixels, patchSize)); // [B, N, D]
    const [batch, , width] = patches.shape;
    const tokens: Tensor3D = trunk.clsToken
      ? tf.concat([tf.broadcastTo(trunk.clsToken, [batch, 1, width]), patches], 1)
      : patches;
    const sum = add(tokens, trunk.clsToken ? positionsOf(trunk, grid, config.positionOffset) : trunk.posEmbed);
    const input = trunk.normPre ? layerNorm(trunk.normPre, sum, epsilon) : sum;
    const rotary = kind === "eva02" ? { rotary: rotaryTable({ grid, reference: ROTARY_GRID, width, heads }) } : {};
    const sizes = { heads, epsilon, activation, ...rotary };
    if (trunk.pool) {
      const { affinity, clsOnly, gate, ...rest } = options;
      const all = transformer(trunk.blocks, input, { ...rest, ...sizes, order: "pre" }).tokens;
      return attentionPool(trunk.pool, layerNorm(trunk.norm, all, epsilon), {
        ...sizes,
        ...(affinity ? { affinity } : {}),
        ...(clsOnly ? { clsOnly } : {}),
        ...(gate ? { gate: tf.slice(gate, [0, 0, 0, 1], [-1, -1, 1, -1]) } : {}), // the read token's row
      });
    }
    const result = withRegisters(
      trunk,
      input,
      options,
      (x, given) => transformer(trunk.blocks, x, { ...given, ...sizes, order: "pre" }),
    );
    return { ...result, tokens: layerNorm(trunk.norm, result.tokens, epsilon) };
  });
}

/** Patches a side of the grid whose places EVA-02's rotary angles are of. */
const ROTARY_GRID = 16;

/** The positions for a grid; those of towers with registers alone are antialiased. */
function positionsOf({ posEmbed, registers }: VitTrunk, grid: number, offset?: number): Tensor3D {
  return resamplePositions(posEmbed, grid, registers !== undefined, offset);
}

/** What the blocks make of the tokens with the registers among them; theirs are taken out again. */
function withRegisters(
  { registers }: VitTrunk,
  input: Tensor3D,
  options: EncodeOptions,
  encode: (x: Tensor3D, options: EncodeOptions) => EncoderResult,
): EncoderResult {
  if (!registers) return encode(input, options);
  const [, count, width] = registers.shape;
  const { gate } = options;
  const result = encode(insertAfterFirst(input, reshape(registers, [count, width])), {
    ...options,
    ...(gate ? { gate: withOnes(withOnes(gate, 2, count), 3, count) } : {}),
  });
  return dropExtra(result, count, options);
}

/** Ones after the first place of an axis. */
function withOnes(gate: Tensor4D, axis: 2 | 3, count: number): Tensor4D {
  const [batch, heads, rows, columns] = gate.shape;
  const added: Tensor4D = axis === 2 ? ones([batch, heads, count, columns]) : ones([batch, heads, rows, count]);
  const [first, rest] = tf.split<Tensor4D>(gate, [1, gate.shape[axis] - 1], axis);
  return tf.concat([first!, added, rest!], axis);
}

function buildVit(vision: VitConfig, make: Parts): VitTrunk {
  const { kind, width, patchSize, depth, mlpWidth, registers = 0, positionSize = vision.imageSize } = vision;
  const trunk = "vision.trunk";
  const isClip = vision.kind === "clip";
  const isPooled = vision.pool === "attention";
  const patches = (positionSize / patchSize) ** 2;
  const extras = { layerScale: kind === "dinov2", gated: kind === "eva02" };
  return {
    patchEmbed: make.dense(width, patchSize ** 2 * 3, `${trunk}.patchEmbed`, !isClip),
    ...(isPooled ? {} : { clsToken: make.leaf(`${trunk}.clsToken`, [1, 1, width], "embedding") }),
    ...(registers > 0 ? { registers: make.leaf(`${trunk}.registers`, [1, registers, width], "embedding") } : {}),
    posEmbed: make.leaf(`${trunk}.posEmbed`, [1, patches + (isPooled ? 0 : 1), width], "embedding"),
    ...(isClip ? { normPre: make.norm(width, `${trunk}.normPre`) } : {}),
    blocks: make.stack(depth, width, mlpWidth, `${trunk}.blocks`, extras),
    norm: make.norm(width, `${trunk}.norm`),
    ...(vision.pool === "pooler" ? { pooler: make.dense(width, width, `${trunk}.pooler`) } : {}),
    ...(isPooled ? { pool: make.attentionPool(width, mlpWidth, `${trunk}.pool`) } : {}),
  };
}

/** What the kinds are called. */
const NAMES: Readonly<Record<VitConfig["kind"], string>> = {
  clip: "CLIP's ViT",
  vit: "ViT",
  dinov2: "DINOv2's ViT",
  eva02: "EVA-02's ViT",
};
/** Where a ViT is read. */
const POOLS: Readonly<Record<VitConfig["pool"], string>> = {
  cls: "the CLS token",
  pooler: "the CLS token through a dense layer and tanh",
  attention: "its patches, by the attention of a learned query",
};

/** The Vision Transformers, CLIP's own and others. */
export const VIT_TOWER: ImageTower<VitConfig, VitTrunk> = {
  encode: encodeVit,
  grid: ({ imageSize, patchSize }) => imageSize / patchSize,
  heads: ({ heads }) => heads,
  numbers: ({ imageSize, patchSize, width, depth }) => ((imageSize / patchSize) ** 2 + 1) * width * depth,
  describe: ({ kind, patchSize, depth, width, heads, pool }) =>
    `${NAMES[kind]}, patches of ${patchSize}, ${depth} layers of ${width}, ${heads} heads; read at ${POOLS[pool]}`,
  build: buildVit,
};
