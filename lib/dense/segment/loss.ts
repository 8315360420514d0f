/** The loss of the segmentation protocol: focal plus the logarithm of soft Dice. @module */
import * as tf from "@tensorflow/tfjs";
import type { Scalar, Tensor } from "../../tensor/types.ts";
import { checkOptions, NUMBER, type Rules } from "../../platform/options.ts";

/** Options of {@linkcode segmentationLoss}. */
export interface SegmentationLossOptions {
  /** Factor of the focal part. @default {10} */
  focalFactor?: number;
  /** Focus on hard pixels. @default {2} */
  gamma?: number;
  /** Added to both sides of soft Dice. @default {1} */
  smooth?: number;
}

/** What they must be. */
const LOSS_RULES: Rules<SegmentationLossOptions> = {
  focalFactor: NUMBER,
  gamma: NUMBER,
  smooth: NUMBER,
};

/**
 * The focal loss, a mean over pixels: `mean((1 - p_t)^gamma · CE)`.
 *
 * Source: Lin et al. 2017, Eq. (4), without alpha.
 *
 * @param logits Any shape.
 * @param targets Same shape, 0 or 1.
 * @returns Scalar. The caller disposes it.
 */
export function focalLoss(logits: Tensor, targets: Tensor, gamma = 2): Scalar {
  return tf.tidy(() => {
    const entropy = tf.sub(tf.softplus(logits), tf.mul(logits, targets)); // CE of a logit
    const sign = tf.sub(1, tf.mul(targets, 2)); // 1 - p_t = σ(sign · logit)
    const weight = gamma === 2
      ? tf.square(tf.sigmoid(tf.mul(logits, sign)))
      : tf.exp(tf.mul(gamma, tf.neg(tf.softplus(tf.neg(tf.mul(logits, sign))))));
    return tf.mean(tf.mul(weight, entropy));
  });
}

/** `(2 Σ p t + smooth) / (Σ p + Σ t + smooth)` over all pixels of the batch together. Scalar; the caller disposes it. */
export function softDice(logits: Tensor, targets: Tensor, smooth = 1): Scalar {
  return tf.tidy(() => {
    const p = tf.sigmoid(logits);
    const both = tf.sum(tf.mul(p, targets));
    return tf.div(tf.add(tf.mul(both, 2), smooth), tf.add(tf.add(tf.sum(p), tf.sum(targets)), smooth));
  });
}

/**
 * `10 · focal - log(soft Dice)`.
 *
 * Source: method section 7; MGCA's `MixedLoss` (no difference).
 *
 * @param logits Shape `[B, S, S]`.
 * @param targets Same shape, 0 or 1.
 * @returns Scalar. The caller disposes it.
 * @throws {TypeError} If the shapes differ.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function segmentationLoss(logits: Tensor, targets: Tensor, options: SegmentationLossOptions = {}): Scalar {
  checkOptions("compute the segmentation loss", options, LOSS_RULES);
  const { focalFactor = 10, gamma = 2, smooth = 1 } = options;
  if (logits.shape.join() !== targets.shape.join()) {
    throw new TypeError(
      `Cannot compute the segmentation loss as targets must have shape [${logits.shape}]: current shape is [${targets.shape}]`,
    );
  }
  return tf.tidy(() =>
    tf.sub(tf.mul(focalLoss(logits, targets, gamma), focalFactor), tf.log(softDice(logits, targets, smooth)))
  );
}
