/** The image tower: a Vision Transformer. @module */
import * as tf from "@tensorflow/tfjs";
import { attentionPool, type AttentionPoolParams } from "../../nn/attention_pool.ts";
import { linear, type LinearParams } from "../../nn/linear.ts";
import { layerNorm, type LayerNormParams } from "../../nn/layer_norm.ts";
import { type BlockParams, transformer } from "../../nn/transformer.ts";
import { tidy } from "../../tensor/ops.ts";
import { checkShape } from "../../tensor/shape.ts";
import type { Tensor, Tensor3D, Tensor4D } from "../../tensor/types.ts";
import type { ClipConfig, VisionConfig } from "../config.ts";
import { type EncodeOptions, type EncoderResult, pooled } from "./encoder.ts";
import { add } from "../../tensor/typed.ts";

/** Weights of the image transformer. */
export interface ImageTrunk {
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

/** Weights of the image tower. */
export interface ImageTowerParams {
  /** The transformer. */
  trunk: ImageTrunk;
  /** Projection, `[E, D]` without bias; a tower that is read through attention has none. */
  head?: LinearParams;
}

/**
 * Tokens of images: patches, CLS and positions, the blocks, the final norm; what dense tasks read. Where the tower is read
 * through attention, the pooled token comes first and the affinity is the pooling weights.
 *
 * Source: timm `vit_base_patch16_224`; open_clip 3.3 `VisionTransformer`; transformers `CLIPVisionTransformer`, `ViTModel`,
 * `SiglipVisionModel`.
 *
 * @param trunk Weights.
 * @param pixels Normalised images, shape `[B, S, S, 3]`.
 * @returns Tokens of width D (the read one first) and affinity. The caller disposes both.
 * @throws {TypeError} If the images have another size.
 */
export function imageTower(
  trunk: ImageTrunk,
  pixels: Tensor4D,
  config: VisionConfig,
  options: EncodeOptions = {},
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
 * Projected tokens of images, not yet normalised; every token goes through pooler and projection as the read one does.
 *
 * @param params Weights.
 * @param pixels Normalised images, shape `[B, S, S, 3]`.
 * @returns `tokens` `[B, N + 1, E]` (CLS first; `[B, 1, E]` with `clsOnly`), `affinity` `[B, N]`. The caller disposes both.
 * @throws {TypeError} If the images have another size.
 *
 * @example Tokens and CLS attention
 * ```ts
 * import { encodeImage, loadClip, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 * import * as tf from "@tensorflow/tfjs";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config } = await loadClip(); // the shipped mini model
 * const { imageSize: side, patchSize } = config.vision;
 * const patches = (side / patchSize) ** 2;
 * const { tokens, affinity } = encodeImage(params, tf.zeros([1, side, side, 3]), config, { affinity: "logits" });
 * assertEquals(tokens.shape, [1, patches + 1, config.embedding]);
 * assertEquals(affinity!.shape, [1, patches]);
 * ```
 */
export function encodeImage(
  params: { vision: ImageTowerParams },
  pixels: Tensor4D,
  config: Pick<ClipConfig, "vision">,
  options: EncodeOptions = {},
): EncoderResult {
  const { trunk, head } = params.vision;
  return tidy(() => {
    const result = imageTower(trunk, pixels, config.vision, options);
    const tokens = pooled(trunk.pooler, result.tokens);
    return { ...result, tokens: head ? linear(head, tokens) : tokens };
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
