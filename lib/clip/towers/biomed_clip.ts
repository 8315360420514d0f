/** The two towers with their projection heads. @module */
import { linear, type LinearParams } from "../../nn/linear.ts";
import { mlp, type MlpParams } from "../../nn/mlp.ts";
import { tidy } from "../../tensor/ops.ts";
import type { Scalar, Tensor, Tensor2D, Tensor3D, Tensor4D } from "../../tensor/types.ts";
import { bert, type BertParams } from "./bert.ts";
import type { BiomedClipConfig } from "../config.ts";
import { type EncoderResult, vit, type VitParams } from "./vit.ts";

/** Weights of a BiomedCLIP of any size. */
export interface BiomedClipParams {
  /** Image tower and its head, `[E, D]` without bias. */
  vision: { trunk: VitParams; head: LinearParams };
  /** Text tower and its head, two layers without bias, exact GELU between. */
  text: { trunk: BertParams; head: MlpParams };
  /** Logarithm of the similarity's scale. */
  logitScale: Scalar;
}

/** Options of {@linkcode encodeImage} and {@linkcode encodeText}. */
export interface EncodeOptions {
  /** Which attention of the last layer's CLS query to return. @default {none} */
  affinity?: "logits" | "probabilities";
  /** Return the CLS token only; cheaper, the numbers are the same. @default {false} */
  clsOnly?: boolean;
  /** Seed of the dropout masks; without it the encoder is in evaluation mode. */
  seed?: number;
  /** Compute each block's inside again for the gradients of these tensors instead of keeping it. @default {keep it} */
  recompute?: ReadonlySet<Tensor>;
}

/**
 * Projected tokens of images, not yet normalised.
 *
 * @param params Weights.
 * @param pixels Normalised images, shape `[B, S, S, 3]`.
 * @returns `tokens` `[B, N + 1, E]` (CLS first; `[B, 1, E]` with `clsOnly`), `affinity` `[B, N]`. The caller disposes both.
 */
export function encodeImage(
  params: BiomedClipParams,
  pixels: Tensor4D,
  config: BiomedClipConfig,
  options: EncodeOptions = {},
): EncoderResult {
  return project(() => vit(params.vision.trunk, pixels, config.vision, options), (x) => linear(params.vision.head, x));
}

/**
 * Projected tokens of texts, not yet normalised; every token goes through the projection head.
 *
 * @param params Weights.
 * @param ids Token ids, shape `[B, N + 1]` int32, pads 0.
 * @returns `tokens` `[B, N + 1, E]` (CLS first; `[B, 1, E]` with `clsOnly`), `affinity` `[B, N]`. The caller disposes both.
 */
export function encodeText(
  params: BiomedClipParams,
  ids: Tensor2D,
  config: BiomedClipConfig,
  options: EncodeOptions = {},
): EncoderResult {
  return project(() => bert(params.text.trunk, ids, config.text, options), (x) => mlp(params.text.head, x));
}

function project(
  encode: () => EncoderResult,
  head: (tokens: Tensor3D) => Tensor3D,
): EncoderResult {
  return tidy(() => {
    const result = encode();
    return { ...result, tokens: head(result.tokens) };
  });
}
