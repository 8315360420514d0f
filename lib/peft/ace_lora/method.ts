/** ACE-LoRA as one of the methods compared. @module */
import { type AceLoraConfig, aceLoraModel, initAceLora, isTrainable } from "../../ace_lora.ts";
import type { ClipConfig } from "../../clip/config.ts";
import { ACE_LORA_HGNN, type AceHgnnConfig, type HgnnAffinity } from "../../hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA } from "../lora/config.ts";
import { type PeftMethod, withSettings } from "../method.ts";

/** What ACE-LoRA adds. */
export type AceLoraSettings = Omit<AceLoraConfig, "encoders">;

/**
 * ACE-LoRA with the paper's settings; the bottleneck keeps the paper's ratio of a quarter of the embedding (128 of 512).
 *
 * @param given `lora`, `hgnn`, `learnScale`, `textAffinity` in place of the defaults.
 */
export function aceLoraMethod(encoders: ClipConfig, given?: Partial<AceLoraSettings>): PeftMethod {
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

function hgnnFor(encoders: ClipConfig): AceHgnnConfig {
  return { ...ACE_LORA_HGNN, hidden: Math.max(1, Math.round(encoders.embedding / 4)) };
}
