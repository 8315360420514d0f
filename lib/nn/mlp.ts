/** The feed-forward half of a transformer block. @module */
import * as tf from "@tensorflow/tfjs";
import { gelu } from "../tensor/kernels/gelu/api.ts";
import { canAddInput, canFuseMlp, fusedMlp, type FusedMlpOptions } from "../tensor/kernels/mlp/api.ts";
import { mul, reshape, unflatten } from "../tensor/typed.ts";
import type { Tensor } from "../tensor/types.ts";
import { layerNorm, type LayerNormParams } from "./layer_norm.ts";
import { frozen, linear, type LinearOptions, type LinearParams, linears, rowsOf } from "./linear.ts";

/** Weights of a two-layer perceptron. */
export interface MlpParams {
  /** Expansion, `[hidden, in]`. */
  fc1: LinearParams;
  /** Contraction, `[out, hidden]`. */
  fc2: LinearParams;
  /** Gate of a SwiGLU, `[hidden, in]`; with one, `activation` is not read. @default {none} */
  gate?: LinearParams;
  /** LayerNorm before the contraction of a SwiGLU. @default {none} */
  norm?: LayerNormParams;
}

/** The exact (erf) GELU, OpenAI CLIP's `x · sigmoid(1.702 x)`, or the approximation by tanh. */
export type Activation = "gelu" | "quick-gelu" | "gelu-tanh";

/** Options of {@linkcode mlp}. */
export interface MlpOptions extends Pick<LinearOptions, "drop" | "addend"> {
  /** Between the two layers. @default {"gelu"} */
  activation?: Activation;
  /** Of the LayerNorm before the contraction. @default {1e-6} */
  epsilon?: number;
}

/**
 * `fc2(gelu(fc1(x)))` with the exact (erf) GELU, the quick one, or that by tanh; with a gate
 * `fc2(norm(silu(gate(x)) ⊙ fc1(x)))`.
 *
 * Source of the gated one: Shazeer, GLU Variants Improve Transformer, 2020, Eq. (6); timm `SwiGLU`.
 *
 * @param params Weights.
 * @param x Shape `[..., in]`.
 * @returns Shape `[..., out]`. The caller disposes it.
 */
export function mlp<T extends Tensor>(params: MlpParams, x: T, options: MlpOptions = {}): T {
  const { activation = "gelu", epsilon, ...rest } = options;
  if (params.gate) return gated({ ...params, gate: params.gate }, x, { ...rest, epsilon });
  const together = activation === "gelu-tanh"
    ? undefined // no kernel has it
    : joined([params.fc1, params.fc2], x, { activation, ...rest });
  if (together) return together;
  const activate = { gelu, "quick-gelu": quickGelu, "gelu-tanh": tanhGelu }[activation];
  return tf.tidy(() => linear(params.fc2, activate(linear(params.fc1, x)), rest));
}

function gated<T extends Tensor>(
  { fc1, fc2, gate, norm }: MlpParams & { gate: LinearParams },
  x: T,
  { epsilon = 1e-6, ...rest }: LinearOptions & { epsilon: number | undefined },
): T {
  return tf.tidy(() => {
    const [open, plain] = linears([gate, fc1], x, [{}, {}]);
    const hidden = mul(mul(open, tf.sigmoid(open)), plain);
    return linear(fc2, norm ? layerNorm(norm, hidden, epsilon) : hidden, rest);
  });
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
  if (!canFuseMlp(options.activation) || first.update || second.update) return undefined;
  return tf.tidy(() => {
    const rows = rowsOf(first, x);
    const shape = [rows.shape[0], second.weight.shape[0]] as const;
    const isResidual = addend === x && rows.shape[1] === shape[1] && canAddInput();
    const y = fusedMlp(rows, [frozen(first), frozen(second)], {
      ...rest,
      ...drop,
      ...(isResidual ? { isResidual } : addend ? { addend: reshape(addend, [...shape]) } : {}),
    });
    return unflatten(y, x);
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
export function quickGelu<T extends Tensor>(x: T): T {
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
export function tanhGelu<T extends Tensor>(x: T): T {
  const factor = 2 * Math.sqrt(2 / Math.PI);
  return tf.tidy(() => tf.mul(x, tf.sigmoid(tf.mul(x, tf.add(tf.mul(tf.square(x), 0.044715 * factor), factor)))));
}
