/** What both towers take and return. @module */
import * as tf from "@tensorflow/tfjs";
import type { AffinityKind } from "../../nn/attention.ts";
import { linear, type LinearParams } from "../../nn/linear.ts";
import { FLAG, INTEGER, oneOf, RECORD, type Rules } from "../../platform/options.ts";
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from "../../tensor/types.ts";
import type { Parts } from "./parts.ts";

/** Options of the towers. */
export interface EncodeOptions {
  /** Which attention of the last layer's query of the read token to return. @default {none} */
  affinity?: AffinityKind;
  /** Return the read token only; cheaper, the numbers are the same. @default {false} */
  clsOnly?: boolean;
  /** Factor of the last layer's attention probabilities, `[B, H, N + 1, N + 1]`, for their gradient. @default {none} */
  gate?: Tensor4D;
  /** Whether the mean of a text is over all its ids, pads too. @default {false} */
  readsPads?: boolean;
  /** Seed of the dropout masks; without it the encoder is in evaluation mode. */
  seed?: number;
  /** Compute each block's inside again for the gradients of these tensors instead of keeping it. @default {keep it} */
  recompute?: ReadonlySet<Tensor>;
}

/** What they must be. */
export const ENCODE_RULES: Rules<EncodeOptions> = {
  affinity: oneOf(["probabilities", "logits"]),
  clsOnly: FLAG,
  gate: RECORD,
  readsPads: FLAG,
  seed: INTEGER,
  recompute: RECORD,
};

/**
 * What an encoder returns. The token that is read comes first: CLS, a causal text's end-of-text token, or the mean of the
 * real tokens where the model reads that. The others follow in their order.
 */
export interface EncoderResult {
  /** Shape `[B, N + 1, ·]`, the read token first, or `[B, 1, ·]` with `clsOnly`. */
  tokens: Tensor3D;
  /** Shape `[B, N]`: the attention of the read token's query (of CLS's where the mean is read) to the other tokens. */
  affinity?: Tensor2D;
}

/** What an image tower of one kind does: a row of the table in image.ts. */
export interface ImageTower<Config, Trunk> {
  /** Tokens of normalised images `[B, S, S, 3]`, the read one first, width D. */
  encode(trunk: Trunk, pixels: Tensor4D, config: Config, options: EncodeOptions): EncoderResult;
  /** Local tokens a side. */
  grid(config: Config): number;
  /** Heads of the attention that its affinity is; 0 for a tower without attention, which returns none. */
  heads(config: Config): number;
  /** Numbers that its layers give for an image: tokens times width of each block, or the maps of each convolution. */
  numbers(config: Config): number;
  /** What it is and where it is read, in words. */
  describe(config: Config): string;
  /** Its tree, below `vision.trunk`. */
  build(config: Config, make: Parts): Trunk;
}

/**
 * `tanh(dense(x))` where a tower has a pooler, `x` itself where not.
 *
 * Source: transformers `BertPooler`, `ViTPooler`.
 *
 * @param pooler Weights, or nothing.
 * @param x Shape `[..., D]`.
 * @returns Shape of `x`; `x` itself without a pooler.
 */
export function pooled(pooler: LinearParams | undefined, x: Tensor3D): Tensor3D {
  return pooler ? tf.tidy(() => tf.tanh(linear(pooler, x))) : x;
}
