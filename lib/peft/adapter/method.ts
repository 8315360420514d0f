/** Bottleneck adapters after each feed-forward part. @module */
import type { ClipConfig } from "../../clip/config.ts";
import type { BottleneckParams } from "../../nn/bottleneck.ts";
import { type Encoder, mapBlocks, type TowerBlocks } from "../../nn/towers.ts";
import { kaimingUniform, zeros } from "../../tensor/init.ts";
import { checkSize, type PeftMethod, peftMethod, withSettings } from "../method.ts";

/** Settings of bottleneck adapters. */
export interface BottleneckConfig {
  /** Width of the tower over width of the bottleneck. */
  reduction: number;
  /** Encoders that carry adapters. */
  encoders: readonly Encoder[];
}

/**
 * One adapter a block, after the feed-forward part, ReLU, a sixteenth of the width: Pfeiffer et al. 2020, arXiv 2005.00247
 * (AdapterHub's `SeqBnConfig`). Down Kaiming uniform, up zero, so that nothing changes at first: Chen et al. 2022 (AdaptFormer),
 * arXiv 2205.13535, section 3.2; Houlsby et al. 2019 ask for a near-identity start.
 */
const BOTTLENECK: BottleneckConfig = { reduction: 16, encoders: ["image", "text"] };

/** Bottleneck adapters, learned. */
export function adapterMethod(encoders: ClipConfig, given?: Partial<BottleneckConfig>): PeftMethod {
  const settings = withSettings(BOTTLENECK, given, "bottleneck adapters");
  checkSize(settings.reduction, "the adapters' reduction");
  return peftMethod(encoders, {
    name: "adapter",
    label: "Adapters",
    settings,
    trains: (leaf) => /\.adapter\.(down|up)\.(weight|bias)$/.test(leaf),
    add: (base, seed) => injectBottlenecks(base, settings, { seed }),
  });
}

/** A new tree with an adapter in each block; frozen weights are shared with `params`. */
export function injectBottlenecks<T extends TowerBlocks>(
  params: T,
  config: BottleneckConfig = BOTTLENECK,
  options: { seed?: number } = {},
): T {
  const { seed = 1 } = options;
  return mapBlocks(params, config.encoders, (block, { name }) => {
    const width = block.mlp.fc2.weight.shape[0];
    const hidden = Math.max(1, Math.round(width / config.reduction));
    return { ...block, adapter: initBottleneck(width, hidden, seed, `adapter ${name}`) };
  });
}

function initBottleneck(width: number, hidden: number, seed: number, name: string): BottleneckParams {
  return {
    down: { weight: kaimingUniform([hidden, width], seed, name), bias: zeros([hidden]) },
    up: { weight: zeros([width, hidden]), bias: zeros([width]) },
  };
}
