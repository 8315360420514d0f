/** DoRA as one of the methods compared. @module */
import type { BiomedClipConfig } from "../../clip/config.ts";
import { layersAt, type LoraConfig } from "../lora/config.ts";
import { initLora, TARGET_LAYERS, type TowerBlocks } from "../lora/inject.ts";
import { doraDirection, rowLengths } from "../../nn/dora.ts";
import type { LinearParams } from "../../nn/linear.ts";
import * as tf from "@tensorflow/tfjs";
import type { Tensor2D } from "../../tensor/types.ts";
import { mapBlocks } from "../blocks.ts";
import { LORA } from "../low_rank.ts";
import { mapLinear } from "../merge.ts";
import { checkSize, type PeftMethod, peftMethod, withSettings } from "../method.ts";

/** DoRA at LoRA's rank, alpha, dropout and targets. Liu et al. 2024, arXiv 2402.09353: `alpha / rank`, as peft without `use_rslora`. */
export const DORA: LoraConfig = LORA;

/** LoRA's direction, and the length of each row of the weight learned apart. */
export function doraMethod(encoders: BiomedClipConfig, given?: Partial<LoraConfig>): PeftMethod {
  const settings = withSettings(DORA, given, "DoRA");
  checkSize(settings.rank, "DoRA's rank");
  return peftMethod(encoders, {
    name: "dora",
    label: "DoRA",
    settings,
    trains: (leaf) => /\.dora\.(loraA|loraB|magnitude)$/.test(leaf),
    add: (base, seed) => injectDora(base, settings, { seed }),
    merge: mergeDora,
  });
}

/**
 * A new tree in which the configured projections carry DoRA: the magnitudes start at the weights' row lengths, so that
 * nothing changes.
 *
 * @returns Frozen weights are shared with `params`.
 */
export function injectDora<T extends TowerBlocks>(params: T, config: LoraConfig, options: { seed?: number } = {}): T {
  const { seed = 1 } = options;
  const inject = (layer: LinearParams, name: string): LinearParams => ({
    ...layer,
    dora: { ...initLora(layer, config, seed, name), magnitude: rowLengths(layer.weight) },
  });
  return mapBlocks(params, config.encoders, (block, name) => {
    const [encoder, index] = name.split(" ");
    const depth = encoder === "image" ? params.vision.trunk.blocks.length : params.text.trunk.layers.length;
    if (!layersAt(config.positions, depth).includes(Number(index))) return block;
    const attention = { ...block.attention };
    for (const target of config.targets) {
      const key = TARGET_LAYERS[target];
      attention[key] = inject(attention[key], `${name} ${target}`);
    }
    return { ...block, attention };
  });
}

/** `m ⊙ (W + scaling · B A) / |W + scaling · B A|` in place of each weight with DoRA; its weight is new, all else shared. */
export function mergeDora<T>(params: T): T {
  return mapLinear(params, (layer) => {
    const { dora, ...rest } = layer;
    if (!dora) return layer;
    const weight = tf.tidy(() => {
      const direction = doraDirection(dora, layer.weight);
      return tf.mul(direction, tf.expandDims(tf.div(dora.magnitude, rowLengths(direction)), 1)) as Tensor2D;
    });
    return { ...rest, weight };
  });
}
