/** A BERT as the text tower of a pair, as open_clip's custom text and `transformers`' VisionTextDualEncoder have it. @module */
import * as tf from "@tensorflow/tfjs";
import { linear, type LinearParams } from "../../nn/linear.ts";
import { mlp, type MlpParams } from "../../nn/mlp.ts";
import type { Tensor2D, Tensor3D } from "../../tensor/types.ts";
import { bert, type BertParams } from "./bert.ts";
import type { ClipBertConfig } from "../clip_config.ts";

/** Weights of a BERT text tower. */
export interface PairTextParams {
  /** BERT, and its pooler `[D, D]` where the tower reads through one. */
  trunk: BertParams & { pooler?: LinearParams };
  /** Projection, `[E, D]` or two layers. */
  head: LinearParams | MlpParams;
}

/** Options of the towers of a CLIP. */
export interface TowerOptions {
  /** Seed of the dropout masks; without it the tower is in evaluation mode. */
  seed?: number;
}

/**
 * `tanh(dense(x))` where a tower has a pooler, `x` itself where not.
 *
 * Source: transformers `BertPooler`, `ViTPooler`.
 *
 * @param pooler Weights, or nothing.
 * @param x Shape `[B, D]`.
 * @returns Shape `[B, D]`; `x` itself without a pooler.
 */
export function pooled(pooler: LinearParams | undefined, x: Tensor2D): Tensor2D {
  return pooler ? tf.tidy(() => tf.tanh(linear(pooler, x))) : x;
}

/**
 * Projected features of texts, not yet normalised.
 *
 * Source: open_clip 3.3 `HFTextEncoder`; transformers `VisionTextDualEncoderModel.get_text_features`.
 *
 * @param params Weights.
 * @param ids Token ids, pads 0; shape `[B, N]` int32.
 * @returns Shape `[B, E]`. The caller disposes it.
 */
export function encodePairText(
  params: PairTextParams,
  ids: Tensor2D,
  config: ClipBertConfig,
  options: TowerOptions = {},
): Tensor2D {
  const { trunk, head } = params;
  return tf.tidy(() => {
    const mean = config.pool === "mean";
    const { tokens } = bert(trunk, ids, config, { ...options, clsOnly: !mean });
    const read = mean ? meanOfReal(tokens, ids) : tf.reshape(tokens, [tokens.shape[0], tokens.shape[2]]) as Tensor2D;
    const features = pooled(trunk.pooler, read);
    return "fc1" in head ? mlp(head, features) : linear(head, features);
  });
}

/** The mean of each text's tokens that are not pads. */
function meanOfReal(tokens: Tensor3D, ids: Tensor2D): Tensor2D {
  const real = tf.where(tf.notEqual(ids, 0), tf.scalar(1), tf.scalar(0)); // not a cast: see bert.ts
  return tf.div(tf.sum(tf.mul(tokens, tf.expandDims(real, 2)), 1), tf.sum(real, 1, true));
}
