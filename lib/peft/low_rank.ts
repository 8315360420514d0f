/** LoRA, rank-stabilised LoRA, and ACE-LoRA as one of the methods compared. @module */
import { type AceLoraConfig, aceLoraModel, initAceLora, isTrainable } from "../ace_lora.ts";
import type { BiomedClipConfig } from "../encoders/config.ts";
import { ACE_LORA_HGNN, type AceHgnnConfig } from "../hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA, type LoraConfig } from "../lora/config.ts";
import { injectLora } from "../lora/inject.ts";
import { mergeLora } from "../lora/merge.ts";
import { type PeftMethod, peftMethod, withSettings } from "./method.ts";

/** LoRA as first published, at the paper's rank, alpha, dropout and targets: `alpha / rank` = 0.25. Hu et al. 2021, arXiv 2106.09685, section 4.1. */
export const LORA: LoraConfig = { ...ACE_LORA_LORA, rankStabilised: false };

/** Rank-stabilised LoRA, `alpha / √rank` = 0.5: what ACE-LoRA adds its hypergraph to. Kalajdzievski 2023, arXiv 2312.03732, Eq. (7). */
export const RSLORA: LoraConfig = ACE_LORA_LORA;

const trains = (leaf: string): boolean => /\.lora\.lora[AB]$/.test(leaf);

/** LoRA with `alpha / rank`. */
export function loraMethod(encoders: BiomedClipConfig, given?: Partial<LoraConfig>): PeftMethod {
  const settings = withSettings(LORA, given, "LoRA");
  const add: Add = (base, seed) => injectLora(base, settings, { seed });
  return peftMethod(encoders, { name: "lora", label: "LoRA", settings, trains, add, merge: mergeLora });
}

/** LoRA with `alpha / √rank`. */
export function rsloraMethod(encoders: BiomedClipConfig, given?: Partial<LoraConfig>): PeftMethod {
  const settings = withSettings(RSLORA, given, "rsLoRA");
  const add: Add = (base, seed) => injectLora(base, settings, { seed });
  return peftMethod(encoders, { name: "rslora", label: "rsLoRA", settings, trains, add, merge: mergeLora });
}

type Add = NonNullable<Parameters<typeof peftMethod>[1]["add"]>;

/** What ACE-LoRA adds. */
export type AceLoraSettings = Omit<AceLoraConfig, "encoders">;

/**
 * ACE-LoRA with the paper's settings; the bottleneck keeps the paper's ratio of a quarter of the embedding (128 of 512).
 *
 * @param given `lora`, `hgnn`, `learnScale`, `textAffinity` in place of the defaults.
 */
export function aceLoraMethod(encoders: BiomedClipConfig, given?: Partial<AceLoraSettings>): PeftMethod {
  const hgnn: AceHgnnConfig = { ...ACE_LORA_HGNN, hidden: Math.max(1, Math.round(encoders.embedding / 4)) };
  const defaults: AceLoraSettings = { lora: ACE_LORA_LORA, hgnn, learnScale: true, textAffinity: "probabilities" };
  const settings = withSettings(defaults, given, "ACE-LoRA");
  const config: AceLoraConfig = { encoders, ...settings };
  return {
    name: "ace-lora",
    label: "ACE-LoRA",
    encoders,
    settings: { ...settings },
    prepare: (base, options = {}) => initAceLora(base, config, options),
    model: { ...aceLoraModel(config, "ACE-LoRA"), isTrainable },
  };
}
