/** Any CLIP: a vision transformer and CLIP's own text transformer, or a BERT, with a common embedding. @module */
import * as tf from "@tensorflow/tfjs";
import { layerNorm, type LayerNormParams } from "../../nn/layer_norm.ts";
import { linear, type LinearParams } from "../../nn/linear.ts";
import { type BlockParams, transformer } from "../../nn/transformer.ts";
import { embeddingLookup } from "../../tensor/ops.ts";
import { checkShape } from "../../tensor/shape.ts";
import type { Scalar, Tensor, Tensor2D, Tensor3D, Tensor4D } from "../../tensor/types.ts";
import type { ClipConfig, ClipTextConfig, ClipVisionConfig } from "../clip_config.ts";
import { encodePairText, type PairTextParams, pooled, type TowerOptions } from "./text_pair.ts";
import { patchify, type VitParams } from "./vit.ts";

/** Weights of the image tower's transformer. */
export interface ClipVisionTrunk extends VitParams {
  /** LayerNorm before the blocks; CLIP's own towers have it. */
  normPre?: LayerNormParams;
  /** Dense layer of the pooler, `[D, D]`, where the tower reads through one. */
  pooler?: LinearParams;
}

/** Weights of CLIP's own text transformer. */
export interface ClipTextTrunk {
  /** Word table, `[V, D]`. */
  word: Tensor2D;
  /** Position table, `[P, D]`. */
  position: Tensor2D;
  /** Causal pre-norm layers. */
  layers: BlockParams[];
  /** Final LayerNorm. */
  norm: LayerNormParams;
}

/** Weights of any CLIP; the blocks stand where LoRA looks for them. */
export interface ClipParams {
  /** Image tower and its projection, `[E, D]` without bias. */
  vision: { trunk: ClipVisionTrunk; head: LinearParams };
  /** Text tower and its projection. */
  text: { trunk: ClipTextTrunk; head: LinearParams } | PairTextParams;
  /** Logarithm of the similarity's scale. */
  logitScale: Scalar;
}

/**
 * Projected features of images, not yet normalised: the CLS token after the final norm.
 *
 * Source: open_clip 3.3 `VisionTransformer`; transformers `CLIPVisionTransformer`, `ViTModel`.
 *
 * @param params Weights.
 * @param pixels Normalised images, shape `[B, S, S, 3]`.
 * @returns Shape `[B, E]`. The caller disposes it.
 * @throws {TypeError} If the images have another size.
 */
export function encodeClipImage(
  params: Pick<ClipParams, "vision">,
  pixels: Tensor4D,
  config: { vision: ClipVisionConfig },
  options: TowerOptions = {},
): Tensor2D {
  const { trunk, head } = params.vision;
  const { imageSize, patchSize, heads, epsilon, activation } = config.vision;
  checkShape(pixels, [null, imageSize, imageSize, 3], "pixels");
  return tf.tidy(() => {
    const patches = linear(trunk.patchEmbed, patchify(pixels, patchSize)); // [B, N, D]
    const [batch, , width] = patches.shape;
    const cls = tf.broadcastTo(trunk.clsToken, [batch, 1, width]) as Tensor3D;
    const sum = tf.add(tf.concat([cls, patches], 1), trunk.posEmbed) as Tensor3D;
    const input = trunk.normPre ? layerNorm(trunk.normPre, sum, epsilon) : sum;
    const how = { ...options, heads, epsilon, activation, order: "pre" as const, clsOnly: true };
    const { tokens } = transformer(trunk.blocks, input, how); // [B, 1, D]
    const read = layerNorm(trunk.norm, tf.reshape(tokens, [batch, width]) as Tensor2D, epsilon);
    return linear(head, pooled(trunk.pooler, read));
  });
}

/**
 * Projected features of texts, not yet normalised.
 *
 * @param params Weights.
 * @param ids Token ids, shape `[B, N]` int32; CLIP's own tower does not see what follows the end of text, a BERT not the
 * pads (id 0).
 * @returns Shape `[B, E]`. The caller disposes it.
 * @throws {TypeError} If a text is longer than the position table.
 */
export function encodeClipText(
  params: Pick<ClipParams, "text">,
  ids: Tensor2D,
  config: { text: ClipConfig["text"] },
  options: TowerOptions = {},
): Tensor2D {
  if (config.text.kind === "bert") return encodePairText(params.text as PairTextParams, ids, config.text, options);
  return encodeCausalText(params.text as { trunk: ClipTextTrunk; head: LinearParams }, ids, config.text, options);
}

/** Source: open_clip 3.3 `CLIP.encode_text`; transformers `CLIPTextTransformer`. */
function encodeCausalText(
  params: { trunk: ClipTextTrunk; head: LinearParams },
  ids: Tensor2D,
  config: ClipTextConfig,
  options: TowerOptions,
): Tensor2D {
  const { trunk, head } = params;
  const [positions, width] = trunk.position.shape;
  const [, size] = ids.shape;
  if (size > positions) {
    throw new TypeError(`Cannot encode a text as it must have at most ${positions} tokens: current value is ${size}`);
  }
  return tf.tidy(() => {
    const places = tf.slice(trunk.position, [0, 0], [size, width]);
    const input = tf.add(embeddingLookup(trunk.word, ids), places) as Tensor3D;
    const { heads, epsilon, activation } = config;
    const how = { ...options, heads, epsilon, activation, order: "pre" as const, causal: true };
    const { tokens } = transformer(trunk.layers, input, how);
    const place = tf.expandDims(endOfText(ids, config.eotId), 2); // [B, N, 1]
    const read = tf.sum(tf.mul(tokens, place), 1) as Tensor2D; // the norm is per token: it may come after the choice
    return linear(head, layerNorm(trunk.norm, read, epsilon));
  });
}

/**
 * 1 at the token each text is read at, 0 elsewhere: the first place of `eotId`, or of the text's largest id (CLIP's end of
 * text is the last of its vocabulary). A text without it is read at its first token, as `argmax` would.
 *
 * @param ids Shape `[B, N]` int32.
 * @returns Shape `[B, N]` float32. The caller disposes it.
 */
export function endOfText(ids: Tensor2D, eotId?: number): Tensor2D {
  const size = ids.shape[1];
  return tf.tidy(() => {
    const wanted: Tensor = eotId === undefined ? tf.max(ids, 1, true) : tf.scalar(eotId, "int32");
    const fallback = tf.tensor1d([0.5, ...new Array<number>(size - 1).fill(0)]);
    const ranks = tf.where(tf.equal(ids, wanted), tf.range(size, 0, -1), fallback); // the first has the largest
    return tf.where(tf.equal(ranks, tf.max(ranks, 1, true)), tf.scalar(1), tf.scalar(0)) as Tensor as Tensor2D;
  });
}
