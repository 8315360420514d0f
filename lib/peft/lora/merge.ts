/** LoRA folded into the weights it updates, and taken out of them again. @module */
import * as tf from "@tensorflow/tfjs";
import { type FrozenLinear, isLinear, type LinearParams, type LowRank } from "../../nn/linear.ts";
import { mapTree } from "../../tensor/params.ts";
import type { Tensor2D } from "../../tensor/types.ts";

/** A layer with the weight `W + factor · B A`, shape `[out, in]`, which is new; its bias is shared. */
export function addLora(layer: FrozenLinear, { loraA, loraB }: LowRank, factor: number): FrozenLinear {
  const update = (): Tensor2D => tf.mul(tf.matMul(loraB, loraA), factor);
  return { ...layer, weight: tf.tidy(() => tf.add(layer.weight, update())) };
}

/**
 * The inverse of `mergeUpdates`, to rounding: takes the LoRA updates that `injected` carries out of `merged`'s weights,
 * `W - scaling · B A`.
 *
 * @param merged A tree that `mergeUpdates` made of `injected`.
 * @param injected The tree with LoRA; its LoRA tensors are shared.
 */
export function unmergeLora<T>(merged: T, injected: T): T {
  const layers = new Map<string, LinearParams>();
  mapTree(injected, (node, name) => isLinear(node) ? layers.set(name, node) && node : undefined);
  return mapTree(merged, (node, name) => {
    if (!isLinear(node)) return undefined;
    const update = layers.get(name)?.update;
    const low = update?.method.lowRank?.(update);
    return update && low ? { ...addLora(node, low, -low.scaling), update } : node;
  });
}
