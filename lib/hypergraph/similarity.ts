/** A hypergraph of similarities alone: cosine in place of the encoder's attention for the CLS hyperedge too. @module */
import * as tf from "@tensorflow/tfjs";
import { l2Normalise } from "../tensor/kernels/l2_normalise/api.ts";
import { checkShape } from "../tensor/shape.ts";
import { mul, sumOver } from "../tensor/typed.ts";
import type { Tensor2D, Tensor3D } from "../tensor/types.ts";
import { dropUnreached } from "./candidates.ts";

/**
 * `e_j = cos(x_0, x_j)`: the score of each token for the CLS hyperedge, no weights at all.
 *
 * @param tokens X, CLS first; shape `[B, N + 1, E]`.
 * @param affinity The encoder's CLS attention `[B, N]`; only its zeros are read: pads are no candidates. @default {all are}
 * @returns Shape `[B, N]`. The caller disposes it.
 */
export function similarityScores(tokens: Tensor3D, affinity?: Tensor2D): Tensor2D {
  const [batch, size, width] = tokens.shape;
  if (affinity) checkShape(affinity, [batch, size - 1], "the affinity");
  return tf.tidy(() => {
    const unit = l2Normalise(tokens);
    const cls = tf.slice(unit, [0, 0, 0], [batch, 1, width]);
    const others = tf.slice(unit, [0, 1, 0], [batch, size - 1, width]);
    const cosines = sumOver(mul(cls, others), 2);
    return affinity ? dropUnreached(cosines, affinity) : cosines;
  });
}
