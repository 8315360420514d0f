/** A perceptron of two layers as one kernel, where the backend has it; lib/nn/mlp.ts has the same in single steps. @module */
import * as tf from "@tensorflow/tfjs";
import { tidy } from "../../ops.ts";
import type { Tensor2D } from "../../types.ts";
import type { MlpActivation } from "../attributes.ts";
import type { FusedLinear, FusedLinearOptions } from "../linear/api.ts";
import { checkFloat, hasKernel, isRecorded, runKernel } from "../run.ts";
import "./gradient.ts";

/** Options of {@linkcode fusedMlp}: dropout and addend are of the second layer's result. */
export interface FusedMlpOptions extends FusedLinearOptions {
  /** Between the layers. @default {"gelu"} */
  activation?: MlpActivation;
  /** Whether x itself is added last, instead of an addend: then its gradients join in the last product. @default {false} */
  isResidual?: boolean;
  /** Whether the layers are trained, so that their gradients are computed in any case. @default {false} */
  trained?: boolean;
}

/** Whether the current backend has the kernel; wasm's knows no quick GELU. */
export function canFuseMlp(activation: MlpActivation = "gelu"): boolean {
  return hasKernel("AceMlp") && !(activation === "quick-gelu" && tf.getBackend() === "wasm");
}

/** Whether it has the kernel that `isResidual` needs for the gradient. */
export function canAddInput(): boolean {
  return hasKernel("AceLinearGradX");
}

/**
 * `drop(f(x W1ᵀ + b1) W2ᵀ + b2) + addend`. The activation is part of the first product and its gradient of the second's.
 *
 * @param x Shape `[rows, in]`.
 * @param layers Both.
 * @returns Shape `[rows, out]`. The caller disposes it.
 */
export function fusedMlp(
  x: Tensor2D,
  [first, second]: readonly [FusedLinear, FusedLinear],
  options: FusedMlpOptions = {},
): Tensor2D {
  const { rate = 0, seed = 0, addend, activation = "gelu", isResidual = false, trained = false } = options;
  const inputs = {
    x,
    weight1: first.weight,
    weight2: second.weight,
    ...(first.bias ? { bias1: first.bias } : {}),
    ...(second.bias ? { bias2: second.bias } : {}),
    ...(addend ? { addend } : {}),
  };
  checkFloat("apply a perceptron to", inputs);
  const attrs = { rate, seed: seed >>> 0, activation, keep: isRecorded(), isResidual, trained };
  return tidy(() => runKernel("AceMlp", inputs, attrs)[0]);
}
