/** A bottleneck behind an encoder, blended with its features. @module */
import * as tf from "@tensorflow/tfjs";
import { linear, type LinearParams } from "../../nn/linear.ts";
import { l2Normalise } from "../../tensor/kernels/l2_normalise/api.ts";
import type { Tensor2D } from "../../tensor/types.ts";

/** Weights of CLIP-Adapter behind one encoder. */
export interface FeatureAdapterParams {
  /** `[hidden, E]`, no bias. */
  down: LinearParams;
  /** `[E, hidden]`, no bias. */
  up: LinearParams;
  /** Share of the adapted features in the result. */
  ratio: number;
}

/**
 * `normalise(ratio · A(f) + (1 - ratio) · f)` with `A(f) = relu(up(relu(down(f))))`.
 *
 * The method blends features before they are normalised; A has no bias, so it is homogeneous, and unit features give the same
 * direction.
 *
 * @param features Shape `[B, E]`.
 * @returns Unit rows, shape `[B, E]`. The caller disposes it.
 */
export function featureAdapter(params: FeatureAdapterParams, features: Tensor2D): Tensor2D {
  return tf.tidy(() => {
    const adapted = tf.relu(linear(params.up, tf.relu(linear(params.down, features))));
    return l2Normalise(tf.add(tf.mul(adapted, params.ratio), tf.mul(features, 1 - params.ratio)));
  });
}
