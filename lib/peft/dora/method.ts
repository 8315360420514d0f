/** DoRA as one of the methods compared. @module */
import type { ClipConfig } from "../../clip/config.ts";
import type { TowerBlocks } from "../../nn/towers.ts";
import type { LoraConfig } from "../lora/config.ts";
import { initLora, injectInto } from "../lora/inject.ts";
import { LORA } from "../lora/method.ts";
import { checkSize, type PeftMethod, peftMethod, withSettings } from "../method.ts";
import { doraUpdate, rowLengths } from "./layer.ts";

/** DoRA at LoRA's rank, alpha, dropout and targets. Liu et al. 2024, arXiv 2402.09353: `alpha / rank`, as peft without `use_rslora`. */
const DORA: LoraConfig = LORA;

/** LoRA's direction, and the length of each row of the weight learned apart. */
export function doraMethod(encoders: ClipConfig, given?: Partial<LoraConfig>): PeftMethod {
  const settings = withSettings(DORA, given, "DoRA");
  checkSize(settings.rank, "DoRA's rank");
  return peftMethod(encoders, {
    name: "dora",
    label: "DoRA",
    settings,
    trains: (leaf) => /\.dora\.(loraA|loraB|magnitude)$/.test(leaf),
    add: (base, seed) => injectDora(base, settings, { seed }),
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
  return injectInto(
    params,
    config,
    (layer, name) => doraUpdate({ ...initLora(layer, config, seed, name), magnitude: rowLengths(layer.weight) }),
  );
}
