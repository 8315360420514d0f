/** The feed-forward half of a transformer block. @module */
import * as tf from "@tensorflow/tfjs";
import { gelu } from "../tensor/kernels/gelu/api.ts";
import { canFuseMlp, fusedMlp, type FusedMlpOptions } from "../tensor/kernels/mlp/api.ts";
import { reshape } from "../tensor/typed.ts";
import type { Tensor } from "../tensor/types.ts";
import { frozen, linear, type LinearOptions, type LinearParams, rowsOf } from "./linear.ts";

/** Weights of a two-layer perceptron. */
export interface MlpParams {
  /** Expansion, `[hidden, in]`. */
  fc1: LinearParams;
  /** Contraction, `[out, hidden]`. */
  fc2: LinearParams;
}

/** The exact (erf) GELU, OpenAI CLIP's `x · sigmoid(1.702 x)`, or the approximation by tanh. */
export type Activation = "gelu" | "quick-gelu" | "gelu-tanh";

/** Options of {@linkcode mlp}. */
export interface MlpOptions extends Pick<LinearOptions, "drop" | "addend"> {
  /** Between the two layers. @default {"gelu"} */
  activation?: Activation;
}

/**
 * `fc2(gelu(fc1(x)))` with the exact (erf) GELU, the quick one, or that by tanh.
 *
 * @param params Weights.
 * @param x Shape `[..., in]`.
 * @returns Shape `[..., out]`. The caller disposes it.
 */
export function mlp<T extends Tensor>(params: MlpParams, x: T, options: MlpOptions = {}): T {
  const { activation = "gelu", ...rest } = options;
  const together = activation === "gelu-tanh"
    ? undefined // no kernel has it
    : joined([params.fc1, params.fc2], x, { activation, ...rest });
  if (together) return together;
  const activate = { gelu, "quick-gelu": quickGelu, "gelu-tanh": tanhGelu }[activation];
  return tf.tidy(() => linear(params.fc2, activate(linear(params.fc1, x)), rest)) as T;
}

/** Options of {@linkcode joined}. */
export interface JoinedOptions
  extends Pick<LinearOptions, "drop" | "addend">, Pick<FusedMlpOptions, "activation" | "trained"> {}

/** Two linear layers with an activation between as one kernel; undefined where the backend has none, or a layer is updated. */
export function joined<T extends Tensor>(
  layers: readonly [LinearParams, LinearParams],
  x: T,
  options: JoinedOptions,
): T | undefined {
  const { drop, addend, ...rest } = options;
  const [first, second] = layers;
  if (!canFuseMlp() || first.update || second.update) return undefined;
  return tf.tidy(() => {
    const rows = rowsOf(first, x);
    const shape = [rows.shape[0], second.weight.shape[0]] as const;
    const y = fusedMlp(rows, [frozen(first), frozen(second)], {
      ...rest,
      ...drop,
      ...(addend ? { addend: reshape(addend, [...shape]) } : {}),
    });
    return tf.reshape(y, [...x.shape.slice(0, -1), shape[1]]) as T;
  });
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

/**
 * `x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2`, as `x · sigmoid` of twice that argument: the same number in fewer steps.
 *
 * Source: Hendrycks and Gimpel, Gaussian Error Linear Units, 2016, section 2; JAX's and torch's `approximate="tanh"`.
 *
 * @param x Any shape, float32.
 * @returns Shape of `x`. The caller disposes it.
 */
export function tanhGelu(x: Tensor): Tensor {
  const factor = 2 * Math.sqrt(2 / Math.PI);
  return tf.tidy(() => tf.mul(x, tf.sigmoid(tf.mul(x, tf.add(tf.mul(tf.square(x), 0.044715 * factor), factor)))));
}
