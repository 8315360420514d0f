/** The sigmoid loss of image-text pairs. @module */
import * as tf from "@tensorflow/tfjs";
import { add, matMul, mul, sub } from "../tensor/typed.ts";
import type { Scalar, Tensor2D } from "../tensor/types.ts";
import { checkOptions, checkRecord, needed } from "../platform/options.ts";
import { TENSOR, tensorOfRank } from "../tensor/shape.ts";
import { INFO_NCE_RULES, type InfoNceOptions } from "./info_nce.ts";

const FEATURE_RULES = { image: needed(tensorOfRank(2)), text: needed(tensorOfRank(2)) };
const SIMILARITY_RULES = { scale: needed(TENSOR), bias: needed(TENSOR) };

/**
 * `loss = Σ_ij m_ij softplus(-z_ij (s v_i · t_j + b)) / B` with `z` 1 on the diagonal and -1 elsewhere: every pair is asked by
 * itself whether it belongs together. With a mask of false negatives, `m` is 0 for the pairs that leave it; the diagonal
 * always stays.
 *
 * Source: Zhai et al., Sigmoid Loss for Language Image Pre-Training, 2023, arXiv 2303.15343, Algorithm 1; open_clip
 * `SigLipLoss`.
 *
 * @param features Unit rows V and T, shape `[B, E]` each.
 * @param similarity `scale` s, already exponentiated, and `bias` b.
 * @returns Scalar, nats. The caller disposes it.
 * @throws {TypeError} If the shapes differ, or an option is unknown.
 */
export function sigmoidLoss(
  features: { image: Tensor2D; text: Tensor2D },
  similarity: { scale: Scalar; bias: Scalar },
  options: InfoNceOptions = {},
): Scalar {
  checkOptions("compute the sigmoid loss", options, INFO_NCE_RULES);
  checkRecord("compute the sigmoid loss", "features", features, FEATURE_RULES);
  checkRecord("compute the sigmoid loss", "similarity", similarity, SIMILARITY_RULES);
  const { image, text } = features;
  if (image.shape.join() !== text.shape.join()) {
    throw new TypeError(
      `Cannot compute the sigmoid loss as both features must have one shape: current shapes are [${image.shape}] and ` +
        `[${text.shape}]`,
    );
  }
  const [batch] = image.shape;
  return tf.tidy(() => {
    const logits = add(mul(matMul(image, text, false, true), similarity.scale), similarity.bias); // [B, B]
    const diagonal = tf.eye(batch);
    const signs = sub(mul(diagonal, 2), 1);
    const losses = tf.softplus(tf.neg(mul(logits, signs)));
    const kept = options.pairMask ? tf.mul(losses, tf.maximum(options.pairMask, diagonal)) : losses;
    return tf.div<Scalar>(tf.sum(kept), batch);
  });
}
