/** LoRA, rank-stabilised LoRA, and ACE-LoRA as one of the methods compared. @module */
import { type AceLoraConfig, aceLoraModel, initAceLora, isTrainable } from "../ace_lora.ts";
import type { BiomedClipConfig } from "../clip/config.ts";
import { ACE_LORA_HGNN, type AceHgnnConfig, type HgnnAffinity } from "../hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA, type LoraConfig } from "./lora/config.ts";
import { injectLora } from "./lora/inject.ts";
import { mergeLora } from "./lora/merge.ts";
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
  const hgnn = hgnnFor(encoders);
  const defaults: AceLoraSettings = { lora: ACE_LORA_LORA, hgnn, learnScale: true, textAffinity: "released" };
  const settings = withSettings(defaults, given, "ACE-LoRA");
  const config: AceLoraConfig = { encoders, ...settings };
  const label = AFFINITY_LABELS[settings.hgnn?.affinity ?? "attention"];
  return {
    name: "ace-lora",
    label,
    encoders,
    settings: { ...settings },
    prepare: (base, options = {}) => initAceLora(base, config, options),
    model: { ...aceLoraModel(config, label), isTrainable },
  };
}

const AFFINITY_LABELS: Readonly<Record<HgnnAffinity, string>> = {
  attention: "ACE-LoRA",
  gat: "ACE-LoRA, GAT affinities",
  gatv2: "ACE-LoRA, GATv2 affinities",
  similarity: "ACE-LoRA, cosine affinities",
};

function hgnnFor(encoders: BiomedClipConfig): AceHgnnConfig {
  return { ...ACE_LORA_HGNN, hidden: Math.max(1, Math.round(encoders.embedding / 4)) };
}

/**
 * ACE-LoRA with other affinities for the CLS hyperedge, everything else the same: same LoRA, bottlenecks, k and seeds. Only GAT
 * (2 · hidden an encoder) and GATv2 (hidden an encoder) add weights, their attention vectors.
 *
 * @param given Settings of `aceLoraMethod` but `hgnn`.
 */
export function affinityMethod(
  encoders: BiomedClipConfig,
  affinity: HgnnAffinity,
  given?: Partial<Omit<AceLoraSettings, "hgnn">>,
): PeftMethod {
  return aceLoraMethod(encoders, { ...given, hgnn: { ...hgnnFor(encoders), affinity } });
}
