/** Injects LoRA by building a new tree that shares the frozen weights. @module */
import type { AttentionParams } from "../../nn/attention.ts";
import type { LinearParams, LoraParams } from "../../nn/linear.ts";
import type { BlockParams } from "../../nn/transformer.ts";
import { kaimingUniform, zeros } from "../../tensor/init.ts";
import type { Tensor2D } from "../../tensor/types.ts";
import { layersAt, type LoraConfig, loraScaling, type LoraTarget } from "./config.ts";

/** The attention projection each target names. */
export const TARGET_LAYERS: Record<LoraTarget, keyof AttentionParams> = {
  q: "query",
  k: "key",
  v: "value",
  o: "output",
};

/** The two stacks of blocks an encoder pair has, wherever they stand in its tree. */
export interface TowerBlocks {
  /** The image tower. */
  vision: { trunk: { blocks: BlockParams[] } };
  /** The text tower. */
  text: { trunk: { layers: BlockParams[] } };
}

/** Fresh low-rank matrices for a layer: A Kaiming uniform (a = √5), B zero, so that the update starts at 0. */
export function initLora(layer: LinearParams, config: LoraConfig, seed: number, name: string): LoraParams {
  const [outSize, inSize] = layer.weight.shape;
  return {
    loraA: kaimingUniform([config.rank, inSize], seed, name) as Tensor2D,
    loraB: zeros([outSize, config.rank]) as Tensor2D,
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
 */
export function injectLora<T extends TowerBlocks>(params: T, config: LoraConfig, options: { seed?: number } = {}): T {
  const { seed = 1 } = options;
  if (!Number.isInteger(config.rank) || config.rank < 1) {
    throw new RangeError(`Cannot inject LoRA as the rank must be a positive integer: current value is ${config.rank}`);
  }
  const inject = (blocks: BlockParams[], encoder: "image" | "text"): BlockParams[] => {
    if (!config.encoders.includes(encoder)) return blocks;
    const chosen = new Set(layersAt(config.positions, blocks.length));
    return blocks.map((block, i) =>
      chosen.has(i) ? { ...block, attention: withLora(block.attention, config, seed, `${encoder} ${i}`) } : block
    );
  };
  return {
    ...params,
    vision: {
      ...params.vision,
      trunk: { ...params.vision.trunk, blocks: inject(params.vision.trunk.blocks, "image") },
    },
    text: { ...params.text, trunk: { ...params.text.trunk, layers: inject(params.text.trunk.layers, "text") } },
  };
}

function withLora(attention: AttentionParams, config: LoraConfig, seed: number, name: string): AttentionParams {
  const out = { ...attention };
  for (const target of config.targets) {
    const key = TARGET_LAYERS[target];
    if (!key) {
      throw new RangeError(`Cannot inject LoRA as targets must be among q, k, v, o: current value is "${target}"`);
    }
    out[key] = { ...attention[key], lora: initLora(attention[key], config, seed, `${name} ${target}`) };
  }
  return out;
}
