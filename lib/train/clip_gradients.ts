/** Gradients of a bounded norm. @module */
import * as tf from "@tensorflow/tfjs";
import { checkItems, checkValue, POSITIVE } from "../platform/options.ts";
import { TENSOR } from "../tensor/shape.ts";
import { tidy } from "../tensor/ops.ts";
import type { Scalar, Tensor1D } from "../tensor/types.ts";

/** As torch divides, so that a norm of 0 divides nothing by nothing. */
const EPSILON = 1e-6;

/**
 * All gradients scaled by `min(1, maxNorm / (‖g‖ + 1e-6))`, where `‖g‖` is the root of the sum of all squares.
 *
 * Source: torch.nn.utils.clip_grad_norm_; no difference.
 *
 * @param gradients Flat, in any number of parts; borrowed.
 * @returns New gradients, and the norm before; the caller disposes both.
 * @throws {RangeError} If `maxNorm` is not above 0.
 */
export function clipGradients(
  gradients: readonly Tensor1D[],
  maxNorm: number,
): { gradients: Tensor1D[]; norm: Scalar } {
  checkItems("clip gradients", "gradients", gradients, TENSOR);
  if (gradients.length === 0) throw new RangeError("Cannot clip gradients as there must be one: there are 0");
  checkValue("clip gradients", "their largest norm", maxNorm, POSITIVE);
  return tidy(() => {
    const squares = gradients.map((gradient): Scalar => tf.sum(tf.square(gradient)));
    const norm = tf.sqrt(tf.addN(squares));
    const factor = tf.minimum(1, tf.div(maxNorm, tf.add(norm, EPSILON)));
    return { gradients: gradients.map((gradient) => tf.mul(gradient, factor)), norm };
  });
}
