/** (IA)^3: learned factors of keys, values and feed-forward activations. @module */
import type { ClipConfig } from "../../clip/config.ts";
import type { LinearParams } from "../../nn/linear.ts";
import { type Encoder, mapBlocks, type TowerBlocks } from "../../nn/towers.ts";
import { ones } from "../../tensor/init.ts";
import { type PeftMethod, peftMethod, withSettings } from "../method.ts";
import { ia3Update } from "./layer.ts";

/** What (IA)^3 multiplies: keys, values, the activations between the two feed-forward layers. */
export type Ia3Target = "k" | "v" | "ffn";

/** Settings of (IA)^3. */
export interface Ia3Config {
  /** What carries factors. */
  targets: readonly Ia3Target[];
  /** Encoders that carry them. */
  encoders: readonly Encoder[];
}

/** The method's own settings: keys, values and feed-forward activations of every block. Liu et al. 2022, arXiv 2205.05638, section 3.3. */
export const IA3: Ia3Config = { targets: ["k", "v", "ffn"], encoders: ["image", "text"] };

/** Factors of one, learned. */
export function ia3Method(encoders: ClipConfig, given?: Partial<Ia3Config>): PeftMethod {
  const settings = withSettings(IA3, given, "(IA)^3");
  return peftMethod(encoders, {
    name: "ia3",
    label: "(IA)^3",
    settings,
    trains: (leaf) => leaf.endsWith(".ia3.factors"),
    add: (base) => injectIa3(base, settings),
  });
}

/** A new tree with factors of one; frozen weights are shared with `params`. */
export function injectIa3<T extends TowerBlocks>(params: T, config: Ia3Config = IA3): T {
  const factors = (layer: LinearParams, side: "input" | "output"): LinearParams => ({
    ...layer,
    update: ia3Update({ factors: ones([layer.weight.shape[side === "input" ? 1 : 0]]), side }),
  });
  const has = (target: Ia3Target): boolean => config.targets.includes(target);
  return mapBlocks(params, config.encoders, (block) => {
    const { attention, mlp } = block;
    return {
      ...block,
      attention: {
        ...attention,
        ...(has("k") ? { key: factors(attention.key, "output") } : {}),
        ...(has("v") ? { value: factors(attention.value, "output") } : {}),
      },
      mlp: has("ffn") ? { ...mlp, fc2: factors(mlp.fc2, "input") } : mlp,
    };
  });
}
