/** Layer normalisation. @module */
import { layerNorm as fusedLayerNorm, layerNormFork as fusedFork } from "../tensor/kernels/layer_norm/api.ts";
import type { Tensor, Tensor1D } from "../tensor/types.ts";

/** Weights of a LayerNorm. */
export interface LayerNormParams {
  /** Gain, shape `[D]`. */
  weight: Tensor1D;
  /** Offset, shape `[D]`. */
  bias: Tensor1D;
}

/**
 * `(x - mean) / √(var + epsilon) · weight + bias` along the last axis, biased variance.
 *
 * @param params Weights.
 * @param x Shape `[..., D]`.
 * @param epsilon 1e-6 in timm's ViT, 1e-12 in BERT.
 * @returns Same shape. The caller disposes it.
 */
export function layerNorm<T extends Tensor>(params: LayerNormParams, x: T, epsilon: number): T {
  return fusedLayerNorm(x, params.weight, params.bias, epsilon);
}

/**
 * LayerNorm, and `x` for the residual beside it. Reading `x` from here lets the backend add both gradients in one kernel.
 *
 * @param params Weights.
 * @param x Shape `[..., D]`.
 * @returns Two tensors of the same shape. The caller disposes both.
 */
export function layerNormFork<T extends Tensor>(
  params: LayerNormParams,
  x: T,
  epsilon: number,
): { normed: T; x: T } {
  const [normed, same] = fusedFork(x, params.weight, params.bias, epsilon);
  return { normed, x: same };
}
