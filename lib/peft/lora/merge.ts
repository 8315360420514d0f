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
 *
 * @example There and back
 * ```ts
 * import { ACE_LORA_LORA, injectLora, loadClip, selectBackend } from "@ace-lora/ace-lora";
 * import { mergeUpdates } from "@ace-lora/ace-lora/nn";
 * import { unmergeLora } from "@ace-lora/ace-lora/peft";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params } = await loadClip(); // the shipped mini model
 * const injected = injectLora(params, ACE_LORA_LORA);
 * const back = unmergeLora(mergeUpdates(injected), injected);
 * const first = (tree: typeof params) => tree.text.trunk.layers[0]!.attention.query.weight.data();
 * assertAlmostEquals((await first(back))[0]!, (await first(params))[0]!, 1e-6);
 * ```
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
