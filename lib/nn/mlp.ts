/** The feed-forward half of a transformer block. @module */
import * as tf from "@tensorflow/tfjs";
import { gelu } from "../tensor/kernels/gelu/api.ts";
import type { Tensor } from "../tensor/types.ts";
import { linear, type LinearOptions, type LinearParams } from "./linear.ts";

/** Weights of a two-layer perceptron. */
export interface MlpParams {
  /** Expansion, `[hidden, in]`. */
  fc1: LinearParams;
  /** Contraction, `[out, hidden]`. */
  fc2: LinearParams;
}

/** The exact (erf) GELU, or OpenAI CLIP's `x · sigmoid(1.702 x)`. */
export type Activation = "gelu" | "quick-gelu";

/** Options of {@linkcode mlp}. */
export interface MlpOptions extends Pick<LinearOptions, "drop" | "addend"> {
  /** Between the two layers. @default {"gelu"} */
  activation?: Activation;
}

/**
 * `fc2(gelu(fc1(x)))` with the exact (erf) GELU, or the quick one.
 *
 * @param params Weights.
 * @param x Shape `[..., in]`.
 * @returns Shape `[..., out]`. The caller disposes it.
 */
export function mlp<T extends Tensor>(params: MlpParams, x: T, options: MlpOptions = {}): T {
  const { activation, ...rest } = options;
  const activate = activation === "quick-gelu" ? quickGelu : gelu;
  return tf.tidy(() => linear(params.fc2, activate(linear(params.fc1, x)), rest)) as T;
}

/**
 * `x · sigmoid(1.702 x)`, the approximation OpenAI's CLIP was trained with.
 *
 * Source: Hendrycks and Gimpel, Gaussian Error Linear Units, 2016, section 2; CLIP `QuickGELU`.
 *
 * @param x Any shape, float32.
 * @returns Shape of `x`. The caller disposes it.
 */
export function quickGelu(x: Tensor): Tensor {
  return tf.tidy(() => tf.mul(x, tf.sigmoid(tf.mul(x, 1.702))));
}
