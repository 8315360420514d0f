/** What the learned affinities share: their vectors' start, and which tokens can be members. @module */
import { checkValue, COUNT, INTEGER } from "../platform/options.ts";
import * as tf from "@tensorflow/tfjs";
import { kaimingUniform } from "../tensor/init.ts";
import { detach } from "../tensor/ops.ts";
import { mul } from "../tensor/typed.ts";
import type { Tensor1D, Tensor2D } from "../tensor/types.ts";

/**
 * Scores with every token that the encoder's attention does not reach, at exactly 0, put last: under the text's probabilities
 * those are the pads, which a score of features alone could not tell. Image logits are never exactly 0.
 *
 * @param scores Shape `[B, N]`.
 * @param affinity Shape `[B, N]`.
 * @returns Shape `[B, N]`. The caller disposes it.
 */
export function dropUnreached(scores: Tensor2D, affinity: Tensor2D): Tensor2D {
  return tf.tidy(() => tf.where<Tensor2D>(tf.equal(detach(affinity), 0), tf.fill(scores.shape, -1e9), scores));
}

/** A vector uniform in `±√(6 / (1 + hidden))`: Glorot for a `[1, hidden]` matrix. */
export function attentionVector(hidden: number, seed: number, name: string): Tensor1D {
  checkValue("build an affinity", "hidden", hidden, COUNT);
  checkValue("build an affinity", "seed", seed, INTEGER);
  const bound = Math.sqrt(6 / (1 + hidden));
  return tf.tidy(() => mul(kaimingUniform([hidden], seed, name), bound * Math.sqrt(hidden)));
}
