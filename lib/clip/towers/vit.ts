/** A Vision Transformer as image tower. @module */
import * as tf from "@tensorflow/tfjs";
import { attentionPool, type AttentionPoolParams } from "../../nn/attention_pool.ts";
import { linear, type LinearParams } from "../../nn/linear.ts";
import { layerNorm, type LayerNormParams } from "../../nn/layer_norm.ts";
import { type BlockParams, transformer } from "../../nn/transformer.ts";
import { tidy } from "../../tensor/ops.ts";
import { checkShape } from "../../tensor/shape.ts";
import type { Tensor, Tensor3D, Tensor4D } from "../../tensor/types.ts";
import type { VitConfig } from "../config.ts";
import type { EncodeOptions, EncoderResult, ImageTower } from "./encoder.ts";
import type { Parts } from "./parts.ts";
import { add } from "../../tensor/typed.ts";

/** Weights of a Vision Transformer. */
export interface VitTrunk {
  /** Patch embedding, `[D, P·P·3]` with the input in (row, column, channel) order. */
  patchEmbed: LinearParams;
  /** CLS token, `[1, 1, D]`; towers that are read through attention have none. */
  clsToken?: Tensor3D;
  /** Position embedding, `[1, N + 1, D]`, or `[1, N, D]` without CLS. */
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
 * Source: timm `vit_base_patch16_224`; open_clip 3.3 `VisionTransformer`; transformers `CLIPVisionTransformer`, `ViTModel`,
 * `SiglipVisionModel`.
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
  const { imageSize, patchSize, heads, epsilon, activation } = config;
  checkShape(pixels, [null, imageSize, imageSize, 3], "pixels");
  return tidy(() => {
    const patches = linear(trunk.patchEmbed, patchify(pixels, patchSize)); // [B, N, D]
    const [batch, , width] = patches.shape;
    const tokens: Tensor3D = trunk.clsToken
      ? tf.concat([tf.broadcastTo(trunk.clsToken, [batch, 1, width]), patches], 1)
      : patches;
    const sum = add(tokens, trunk.posEmbed);
    const input = trunk.normPre ? layerNorm(trunk.normPre, sum, epsilon) : sum;
    const sizes = { heads, epsilon, activation };
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
    const result = transformer(trunk.blocks, input, { ...options, ...sizes, order: "pre" });
    return { ...result, tokens: layerNorm(trunk.norm, result.tokens, epsilon) };
  });
}

/**
 * Cuts images into patches, row by row.
 *
 * @param pixels Shape `[B, S, S, C]`.
 * @param size Patch side P.
 * @returns Shape `[B, (S/P)², P·P·C]`. The caller disposes it.
 */
function patchify(pixels: Tensor4D, size: number): Tensor3D {
  const [batch, side, , channels] = pixels.shape;
  const grid = side / size;
  return tf.tidy(() => {
    const split = tf.reshape(pixels, [batch, grid, size, grid, size * channels]);
    const grouped: Tensor = tf.transpose(split, [0, 1, 3, 2, 4]);
    return tf.reshape(grouped, [batch, grid * grid, size * size * channels]);
  });
}

function buildVit(vision: VitConfig, make: Parts): VitTrunk {
  const { width, patchSize, depth, mlpWidth } = vision;
  const trunk = "vision.trunk";
  const isClip = vision.kind === "clip";
  const isPooled = vision.pool === "attention";
  const patches = (vision.imageSize / patchSize) ** 2;
  return {
    patchEmbed: make.dense(width, patchSize ** 2 * 3, `${trunk}.patchEmbed`, !isClip),
    ...(isPooled ? {} : { clsToken: make.leaf(`${trunk}.clsToken`, [1, 1, width], "embedding") }),
    posEmbed: make.leaf(`${trunk}.posEmbed`, [1, patches + (isPooled ? 0 : 1), width], "embedding"),
    ...(isClip ? { normPre: make.norm(width, `${trunk}.normPre`) } : {}),
    blocks: make.stack(depth, width, mlpWidth, `${trunk}.blocks`),
    norm: make.norm(width, `${trunk}.norm`),
    ...(vision.pool === "pooler" ? { pooler: make.dense(width, width, `${trunk}.pooler`) } : {}),
    ...(isPooled ? { pool: make.attentionPool(width, mlpWidth, `${trunk}.pool`) } : {}),
  };
}

/** The Vision Transformers, CLIP's own and others. */
export const VIT_TOWER: ImageTower<VitConfig, VitTrunk> = {
  encode: encodeVit,
  grid: ({ imageSize, patchSize }) => imageSize / patchSize,
  heads: ({ heads }) => heads,
  build: buildVit,
};
