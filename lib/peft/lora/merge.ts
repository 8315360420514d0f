/** Folds low-rank updates into the frozen weights, and takes them out again. @module */
import * as tf from "@tensorflow/tfjs";
import type { LinearParams, LoraParams } from "../../nn/linear.ts";
import type { Tensor2D } from "../../tensor/types.ts";

/**
 * `W + scaling · B A`.
 *
 * @returns A new layer without `lora`; its weight is new, its bias shared.
 */
export function mergeLinear(layer: LinearParams): LinearParams {
  const { lora, ...rest } = layer;
  return lora ? { ...rest, weight: addUpdate(layer.weight, lora, lora.scaling) } : layer;
}

/**
 * `W - scaling · B A`: the inverse of {@linkcode mergeLinear}, to rounding.
 *
 * @returns A new layer that carries `lora` again; its weight is new, bias and LoRA shared.
 */
export function unmergeLinear(layer: LinearParams, lora: LoraParams): LinearParams {
  return { ...layer, weight: addUpdate(layer.weight, lora, -lora.scaling), lora };
}

function addUpdate(weight: Tensor2D, lora: LoraParams, factor: number): Tensor2D {
  return tf.tidy(() => tf.add(weight, tf.mul(tf.matMul(lora.loraB, lora.loraA), factor)) as Tensor2D);
}

/**
 * The whole tree with every update merged; layers without LoRA are shared with `params`, so free the result with
 * `disposeParams(result, params)`.
 */
export function mergeLora<T>(params: T): T {
  return mapLayers(params, (layer) => mergeLinear(layer)) as T;
}

/**
 * The inverse of {@linkcode mergeLora}: takes the updates that `injected` carries out of `merged`'s weights.
 *
 * @param merged A tree that {@linkcode mergeLora} made of `injected`.
 * @param injected The tree with LoRA; its LoRA tensors are shared.
 */
export function unmergeLora<T>(merged: T, injected: T): T {
  return mapLayers(merged, (layer, other) => other?.lora ? unmergeLinear(layer, other.lora) : layer, injected) as T;
}

function isLinear(node: object): node is LinearParams {
  return "weight" in node && node.weight instanceof tf.Tensor && node.weight.rank === 2;
}

function mapLayers(
  node: unknown,
  change: (layer: LinearParams, other: LinearParams | undefined) => LinearParams,
  other?: unknown,
): unknown {
  if (node === null || typeof node !== "object" || node instanceof tf.Tensor) return node;
  if (isLinear(node)) return change(node, other as LinearParams | undefined);
  const at = (key: string | number): unknown => (other as Record<string | number, unknown> | undefined)?.[key];
  if (Array.isArray(node)) return node.map((child, i) => mapLayers(child, change, at(i)));
  return Object.fromEntries(Object.entries(node).map(([key, child]) => [key, mapLayers(child, change, at(key))]));
}
