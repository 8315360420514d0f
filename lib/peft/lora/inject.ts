/** Puts updates into attention layers by building a new tree that shares the frozen weights. @module */
import type { AttentionProjection } from "../../nn/attention.ts";
import type { LinearParams, LinearUpdate, LowRank } from "../../nn/linear.ts";
import { mapBlocks, type TowerBlocks } from "../../nn/towers.ts";
import { kaimingUniform, zeros } from "../../tensor/init.ts";
import { checkOptions, INTEGER } from "../../platform/options.ts";
import { LORA_RULES, type LoraConfig, loraLayers, loraScaling, type LoraTarget } from "./config.ts";
import { loraUpdate } from "./layer.ts";

/** The attention projection each target names. */
export const TARGET_LAYERS: Record<LoraTarget, AttentionProjection> = {
  q: "query",
  k: "key",
  v: "value",
  o: "output",
};

/**
 * Fresh low-rank matrices for a layer: A Kaiming uniform (a = √5), B zero, so that the update starts at 0.
 *
 * @throws {TypeError} If a setting is missing, unknown or of another type.
 * @throws {RangeError} If a setting will not do.
 */
export function initLora(layer: LinearParams, config: LoraConfig, seed: number, name: string): LowRank {
  checkOptions("start LoRA's matrices", config, LORA_RULES, "setting");
  const [outSize, inSize] = layer.weight.shape;
  return {
    loraA: kaimingUniform([config.rank, inSize], seed, name),
    loraB: zeros([outSize, config.rank]),
    scaling: loraScaling(config),
    dropout: config.dropout,
  };
}

/**
 * A new tree in which the configured projections carry LoRA. The frozen weights are shared with `params`, so free the
 * result with `disposeParams(result, params)`.
 *
 * Source: method section 2; loralib of CLIP-LoRA, with `scaling = alpha / √rank`.
 *
 * @param params A model with an image tower and a text tower.
 * @param config Rank, targets, positions, encoders.
 * @param options `seed` of the A matrices (@default 1).
 * @throws {RangeError} If the rank is not a positive integer, or a target or position is unknown.
 *
 * @example A tree that shares the frozen weights
 * ```ts
 * import { ACE_LORA_LORA, injectLora, loadClip, selectBackend } from "@ace-lora/ace-lora";
 * import { assert } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params } = await loadClip();
 * const adapted = injectLora(params, ACE_LORA_LORA, { seed: 1 });
 * const query = (tree: typeof params) => tree.vision.trunk.blocks[0]!.attention.query;
 * assert(query(adapted).weight === query(params).weight && query(adapted).update !== undefined);
 * ```
 */
export function injectLora<T extends TowerBlocks>(params: T, config: LoraConfig, options: { seed?: number } = {}): T {
  checkOptions("inject LoRA", options, { seed: INTEGER });
  const { seed = 1 } = options;
  return injectInto(params, config, (layer, name) => loraUpdate(initLora(layer, config, seed, name)));
}

/**
 * A new tree in which the configured projections carry an update; the frozen weights are shared with `params`.
 *
 * @param update Called for each layer, with a name for seeds: `image 0 q`.
 * @throws {RangeError} If the rank is not a positive integer, or a target or position is unknown.
 */
export function injectInto<T extends TowerBlocks>(
  params: T,
  config: LoraConfig,
  update: (layer: LinearParams, name: string) => LinearUpdate,
): T {
  checkOptions("inject LoRA", config, LORA_RULES, "setting");
  const { targets, encoders } = config;
  return mapBlocks(params, encoders, (block, { encoder, index, depth, name }) => {
    if (!loraLayers(config, encoder, depth).includes(index)) return block;
    const attention = { ...block.attention };
    for (const target of targets) {
      const key = TARGET_LAYERS[target];
      attention[key] = { ...attention[key], update: update(attention[key], `${name} ${target}`) };
    }
    return { ...block, attention };
  });
}
