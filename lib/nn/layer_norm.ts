/** Layer normalisation. @module */
import { layerNorm as fusedLayerNorm } from "../tensor/fused/layer_norm.ts";
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
  return fusedLayerNorm(x, params.weight, params.bias, epsilon) as T;
}
