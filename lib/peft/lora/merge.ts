/** Takes merged low-rank updates out of the weights again. @module */
import { isLinear, type LinearParams } from "../../nn/linear.ts";
import { mapTree } from "../../tensor/params.ts";
import { addLora, isLora } from "./layer.ts";

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
    return isLora(update) ? { ...addLora(node, update, -update.scaling), update } : node;
  });
}
