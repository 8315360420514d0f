/** LoRA, and its rank-stabilised form, as two of the methods compared. @module */
import type { ClipConfig } from "../../clip/config.ts";
import { type PeftMethod, peftMethod, withSettings } from "../method.ts";
import { ACE_LORA_LORA, type LoraConfig } from "./config.ts";
import { injectLora } from "./inject.ts";

/** LoRA as first published, at the paper's rank, alpha, dropout and targets: `alpha / rank` = 0.25. Hu et al. 2021, arXiv 2106.09685, section 4.1. */
export const LORA: LoraConfig = { ...ACE_LORA_LORA, rankStabilised: false };

/** Rank-stabilised LoRA, `alpha / √rank` = 0.5: what ACE-LoRA adds its hypergraph to. Kalajdzievski 2023, arXiv 2312.03732, Eq. (7). */
const RSLORA: LoraConfig = ACE_LORA_LORA;

/** LoRA with `alpha / rank`. */
export function loraMethod(encoders: ClipConfig, given?: Partial<LoraConfig>): PeftMethod {
  return lowRankMethod(encoders, "lora", "LoRA", withSettings(LORA, given, "LoRA"));
}

/** LoRA with `alpha / √rank`. */
export function rsloraMethod(encoders: ClipConfig, given?: Partial<LoraConfig>): PeftMethod {
  return lowRankMethod(encoders, "rslora", "rsLoRA", withSettings(RSLORA, given, "rsLoRA"));
}

function lowRankMethod(encoders: ClipConfig, name: string, label: string, settings: LoraConfig): PeftMethod {
  return peftMethod(encoders, {
    name,
    label,
    settings,
    trains: (leaf) => /\.lora\.lora[AB]$/.test(leaf),
    add: (base, seed) => injectLora(base, settings, { seed }),
  });
}
