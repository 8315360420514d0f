/** The Vision Transformer. @module */
import * as tf from "@tensorflow/tfjs";
import { linear, type LinearParams } from "../../nn/linear.ts";
import { layerNorm, type LayerNormParams } from "../../nn/layer_norm.ts";
import { type BlockParams, transformer } from "../../nn/transformer.ts";
import { tidy } from "../../tensor/ops.ts";
import { checkShape } from "../../tensor/shape.ts";
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from "../../tensor/types.ts";
import type { VitConfig } from "../config.ts";

/** Weights of a ViT. */
export interface VitParams {
  /** Patch embedding, `[D, P·P·3]` with the input in (row, column, channel) order. */
  patchEmbed: LinearParams;
  /** CLS token, `[1, 1, D]`. */
  clsToken: Tensor3D;
  /** Position embedding, `[1, N + 1, D]`. */
  posEmbed: Tensor3D;
  /** Pre-norm blocks. */
  blocks: BlockParams[];
  /** Final LayerNorm over all tokens. */
  norm: LayerNormParams;
}

/** Options of {@linkcode vit}. */
export interface VitOptions {
  /** Which attention of the last block's CLS query to return. @default {none} */
  affinity?: "logits" | "probabilities";
  /** Return the CLS token only. @default {false} */
  clsOnly?: boolean;
  /** Seed of LoRA's dropout; without it the encoder is in evaluation mode. */
  seed?: number;
  /** Compute each block's inside again for the gradients of these tensors instead of keeping it. @default {keep it} */
  recompute?: ReadonlySet<Tensor>;
}

/** What an encoder returns. */
export interface EncoderResult {
  /** Shape `[B, N + 1, ·]` with CLS first, or `[B, 1, ·]` with `clsOnly`. */
  tokens: Tensor3D;
  /** Shape `[B, N]`: the CLS query's attention to the other tokens. */
  affinity?: Tensor2D;
}

/**
 * Tokens of images: patches, CLS and positions, the blocks, the final norm.
 *
 * Source: timm `vit_base_patch16_224`.
 *
 * @param params Weights.
 * @param pixels Normalised images, shape `[B, S, S, 3]`.
 * @returns Tokens of width D and affinity. The caller disposes both.
 * @throws {TypeError} If the images have another size.
 */
export function vit(params: VitParams, pixels: Tensor4D, config: VitConfig, options: VitOptions = {}): EncoderResult {
  checkShape(pixels, [null, config.imageSize, config.imageSize, 3], "pixels");
  return tidy(() => {
    const patches = linear(params.patchEmbed, patchify(pixels, config.patchSize)); // [B, N, D]
    const [batch, , width] = patches.shape;
    const cls = tf.broadcastTo(params.clsToken, [batch, 1, width]) as Tensor3D;
    const input = tf.add(tf.concat([cls, patches], 1), params.posEmbed) as Tensor3D;
    const { heads, epsilon } = config;
    const result = transformer(params.blocks, input, { ...options, heads, epsilon, order: "pre" });
    return { ...result, tokens: layerNorm(params.norm, result.tokens, epsilon) };
  });
}

/**
 * Cuts images into patches, row by row.
 *
 * @param pixels Shape `[B, S, S, C]`.
 * @param size Patch side P.
 * @returns Shape `[B, (S/P)², P·P·C]`. The caller disposes it.
 */
export function patchify(pixels: Tensor4D, size: number): Tensor3D {
  const [batch, side, , channels] = pixels.shape;
  const grid = side / size;
  return tf.tidy(() => {
    const split = tf.reshape(pixels, [batch, grid, size, grid, size * channels]);
    const grouped: Tensor = tf.transpose(split, [0, 1, 3, 2, 4]);
    return tf.reshape(grouped, [batch, grid * grid, size * size * channels]) as Tensor3D;
  });
}
