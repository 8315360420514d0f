/** Binary cross-entropy of several labels an image. @module */
import * as tf from "@tensorflow/tfjs";
import { checkRecord, needed } from "../platform/options.ts";
import { tensorOfRank } from "../tensor/shape.ts";
import { add, complement, div, indicator, mul, sumOver } from "../tensor/typed.ts";
import type { Scalar, Tensor1D, Tensor2D } from "../tensor/types.ts";

/** What it is computed from. */
const INPUT_RULES = {
  logits: needed(tensorOfRank(2)),
  targets: needed(tensorOfRank(2)),
  positiveWeights: needed(tensorOfRank(1)),
};

/**
 * `loss = mean over known labels of w_c y softplus(-x) + (1 - y) softplus(x)`: the binary cross-entropy of `sigmoid(x)`, positives
 * weighing `w_c` times as much as negatives. Labels of -1 are unknown and leave the mean.
 *
 * Source: PyTorch `BCEWithLogitsLoss(pos_weight)`; differs in the unknown labels alone.
 *
 * @param logits x, shape `[B, C]`.
 * @param targets y: 1, 0, or -1 where it is not known; shape `[B, C]`.
 * @param positiveWeights w, shape `[C]`.
 * @returns Scalar, nats; 0 where no label is known. The caller disposes it.
 * @throws {TypeError} If the shapes do not fit.
 */
export function weightedBce(logits: Tensor2D, targets: Tensor2D, positiveWeights: Tensor1D): Scalar {
  checkRecord("compute the weighted cross-entropy", "its input", { logits, targets, positiveWeights }, INPUT_RULES);
  if (logits.shape.join() !== targets.shape.join() || positiveWeights.shape[0] !== logits.shape[1]) {
    throw new TypeError(
      `Cannot compute the weighted cross-entropy as logits and targets must be [B, C] and weights [C]: current shapes are ` +
        `[${logits.shape}], [${targets.shape}] and [${positiveWeights.shape}]`,
    );
  }
  return tf.tidy(() => {
    const known = indicator(tf.greaterEqual<Tensor2D>(targets, 0));
    const positive: Tensor2D = tf.maximum(targets, 0);
    const misses = mul(mul(positive, positiveWeights), tf.softplus(tf.neg(logits)));
    const losses = add(misses, mul(complement(positive), tf.softplus(logits)));
    const sum = (x: Tensor2D): Scalar => sumOver(sumOver(x, 1), 0);
    return div(sum(mul(losses, known)), tf.maximum(sum(known), 1));
  });
}
