/** The image tower, of whichever kind: one table. @module */
import * as tf from "@tensorflow/tfjs";
import { linear, type LinearParams } from "../../nn/linear.ts";
import { tidy } from "../../tensor/ops.ts";
import { l2Normalise } from "../../tensor/kernels/l2_normalise/api.ts";
import { mul, slice, sumOver } from "../../tensor/typed.ts";
import type { Tensor2D, Tensor3D, Tensor4D } from "../../tensor/types.ts";
import type { ClipConfig, HeadKind, VisionConfig } from "../config.ts";
import { checkOptions } from "../../platform/options.ts";
import { ENCODE_RULES, type EncodeOptions, type EncoderResult, type ImageTower, pooled } from "./encoder.ts";
import { buildHead, type HeadParams, projected } from "./head.ts";
import type { Parts } from "./parts.ts";
import { middlePlaces, RESNET_TOWER, type ResnetTrunk } from "./resnet.ts";
import { SWIN_TOWER, type SwinTrunk } from "./swin.ts";
import { VIT_TOWER, type VitTrunk } from "./vit.ts";

/** Weights of an image tower before its projection. */
export type ImageTrunk = VitTrunk | SwinTrunk | ResnetTrunk;

/** Weights of the image tower. */
export interface ImageTowerParams {
  /** The tower. */
  trunk: ImageTrunk;
  /** Projection; a ViT that is read through attention has none. */
  head?: HeadParams;
  /** Projection of the places that words are compared with. @default {none} */
  local?: LinearParams;
}

/** What each kind of tower does. */
const TOWERS: Readonly<Record<VisionConfig["kind"], ImageTower<VisionConfig, ImageTrunk>>> = {
  "clip": VIT_TOWER,
  "vit": VIT_TOWER,
  "dinov2": VIT_TOWER,
  "eva02": VIT_TOWER,
  "swin": SWIN_TOWER,
  "clip-resnet": RESNET_TOWER,
  "resnet": RESNET_TOWER,
};

/** Local tokens a side: they stand for the squares of a grid over the image, row by row. */
export function gridSide(vision: VisionConfig): number {
  return TOWERS[vision.kind].grid(vision);
}

/** Side of the square of pixels that a local token stands for: a patch's. */
export function squareSide(vision: VisionConfig): number {
  return vision.imageSize / gridSide(vision);
}

/** Heads of the attention that the tower's affinity is; 0 where it has none. */
export function attentionHeads(vision: VisionConfig): number {
  return TOWERS[vision.kind].heads(vision);
}

/** Numbers that the layers give for an image: tokens times width of each block, or the maps of each convolution. */
export function layerNumbers(vision: VisionConfig): number {
  return TOWERS[vision.kind].numbers(vision);
}

/** What a tower is and where it is read, in words. */
export function describeImageTower(vision: VisionConfig): string {
  return TOWERS[vision.kind].describe(vision);
}

/** The kind of its projection. */
export function imageHead(vision: VisionConfig): HeadKind {
  if (vision.head) return vision.head;
  if (vision.kind === "clip-resnet") return "biased";
  return "pool" in vision && vision.pool === "attention" ? "none" : "linear";
}

/** An image tower's tree. */
export function buildImageTower(vision: VisionConfig, embedding: number, make: Parts): ImageTowerParams {
  return {
    trunk: TOWERS[vision.kind].build(vision, make),
    ...buildHead(imageHead(vision), { width: vision.width, embedding, hidden: vision.headWidth }, make, "vision.head"),
  };
}

/**
 * Tokens of images before the projection, the read one first; what dense tasks read.
 *
 * @param trunk Weights.
 * @param pixels Normalised images, shape `[B, S, S, 3]`.
 * @returns Tokens of width D and affinity. The caller disposes both.
 * @throws {TypeError} If the images have another size.
 */
export function imageTower(
  trunk: ImageTrunk,
  pixels: Tensor4D,
  config: VisionConfig,
  options: EncodeOptions = {},
): EncoderResult {
  return TOWERS[config.kind].encode(trunk, pixels, config, options);
}

/**
 * Projected tokens of images, not yet normalised; every token goes through pooler and projection as the read one does. A tower
 * without attention has the similarity of each token with the read one as affinity.
 *
 * @param params Weights.
 * @param pixels Normalised images, shape `[B, S, S, 3]`.
 * @returns `tokens` `[B, N + 1, E]` (CLS first; `[B, 1, E]` with `clsOnly`), `affinity` `[B, N]`. The caller disposes both.
 * @throws {TypeError} If the images have another size, or an option is unknown.
 *
 * @example Tokens and CLS attention
 * ```ts
 * import { encodeImage, loadClip, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 * import * as tf from "@tensorflow/tfjs";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config } = await loadClip(); // the shipped mini model
 * const { imageSize: side } = config.vision;
 * const { tokens, affinity } = encodeImage(params, tf.zeros([1, side, side, 3]), config, { affinity: "logits" });
 * assertEquals(tokens.shape, [1, 65, config.embedding]); // CLS and 8 x 8 patches
 * assertEquals(affinity!.shape, [1, 64]);
 * ```
 */
export function encodeImage(
  params: { vision: ImageTowerParams },
  pixels: Tensor4D,
  config: Pick<ClipConfig, "vision">,
  options: EncodeOptions = {},
): EncoderResult {
  checkOptions("encode images", options, ENCODE_RULES);
  const { trunk, head } = params.vision;
  return tidy(() => {
    const isSimilar = options.affinity !== undefined && attentionHeads(config.vision) === 0;
    const { clsOnly = false } = options;
    const result = imageTower(trunk, pixels, config.vision, { ...options, clsOnly: clsOnly && !isSimilar });
    const read = "pooler" in trunk ? pooled(trunk.pooler, result.tokens) : result.tokens;
    const tokens = projected(head, read, imageHead(config.vision));
    if (!isSimilar) return { ...result, tokens };
    const cls = clsOnly ? slice(tokens, [0, 0, 0], [-1, 1, -1]) : tokens;
    return { tokens: cls, affinity: cosines(tokens) };
  });
}

/**
 * The places of a ResNet's last stage but one, projected: what words are compared with.
 *
 * @param pixels Normalised images, shape `[B, S, S, 3]`.
 * @returns Shape `[B, P, E]`, row by row. The caller disposes it.
 * @throws {RangeError} If the tower has none.
 */
export function imagePlaces(
  { vision: { trunk, local } }: { vision: ImageTowerParams },
  pixels: Tensor4D,
  { vision }: Pick<ClipConfig, "vision">,
): Tensor3D {
  if (!("stem" in trunk) || !local || !("stemWidth" in vision)) {
    throw new RangeError(`Cannot compare words with places as the image tower must project its map: it has none`);
  }
  return tidy(() => linear(local, middlePlaces(trunk, pixels, vision)));
}

/** The cosine of the first token with each of the others, `[B, N]`. */
function cosines(tokens: Tensor3D): Tensor2D {
  const [batch, size, width] = tokens.shape;
  return tf.tidy(() => {
    const unit = l2Normalise(tokens);
    const [first, others] = [
      slice(unit, [0, 0, 0], [batch, 1, width]),
      slice(unit, [0, 1, 0], [batch, size - 1, width]),
    ];
    return sumOver(mul(first, others), 2);
  });
}
