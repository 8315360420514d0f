/** The feed-forward half of a transformer block. @module */
import * as tf from "@tensorflow/tfjs";
import { gelu } from "../tensor/fused/gelu.ts";
import type { Tensor } from "../tensor/types.ts";
import { linear, type LinearParams } from "./linear.ts";

/** Weights of a two-layer perceptron. */
export interface MlpParams {
  /** Expansion, `[hidden, in]`. */
  fc1: LinearParams;
  /** Contraction, `[out, hidden]`. */
  fc2: LinearParams;
}

/**
 * `fc2(gelu(fc1(x)))` with the exact (erf) GELU.
 *
 * @param params Weights.
 * @param x Shape `[..., in]`.
 * @returns Shape `[..., out]`. The caller disposes it.
 */
export function mlp<T extends Tensor>(params: MlpParams, x: T): T {
  return tf.tidy(() => linear(params.fc2, gelu(linear(params.fc1, x)))) as T;
}
