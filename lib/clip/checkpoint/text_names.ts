/** The names of text towers, a row for each library's. A new one goes here, and into `TEXT_SIGNS` of find_layout.ts. @module */
import type { ClipConfig } from "../config.ts";
import {
  HF_CLIP_LAYERS,
  NATIVE_FUSED,
  NATIVE_LAYERS,
  normedHead,
  shortcutHead,
  type TowerNames,
  weightAndBias,
} from "./tower_names.ts";

/** Names of a text tower: open_clip's own, `transformers`' CLIP, BERT in open_clip or in a pair, and those of single models. */
export type TextNaming =
  | "open_clip"
  | "open_clip_siglip"
  | "hf_clip"
  | "hf_siglip"
  | "open_clip_bert"
  | "hf_bert"
  | "gloria"
  | "mgca"
  | "cxr_clip"
  | "convirt"
  | "pmc_clip"
  | "medclip"
  | "none";

const BERT: Omit<TowerNames<"bert">, "label" | "head" | "headBelow"> = {
  kind: "bert",
  stem: {
    word: { name: "embeddings.word_embeddings.weight" },
    position: { name: "embeddings.position_embeddings.weight" },
    tokenType: { name: "embeddings.token_type_embeddings.weight" },
    ...weightAndBias("norm", "embeddings.LayerNorm"),
    ...weightAndBias("pooler", "pooler.dense"),
  },
  blocks: "encoder.layer.",
  layers: {
    "norm1": "attention.output.LayerNorm",
    "norm2": "output.LayerNorm",
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
  },
};

type Rows = Pick<TowerNames, "stem" | "blocks" | "layers" | "fused">;

/** open_clip's own text transformer, whatever its head. */
const NATIVE: Rows = {
  stem: {
    word: { name: "token_embedding.weight" },
    position: { name: "positional_embedding" },
    ...weightAndBias("norm", "ln_final"),
  },
  blocks: "transformer.resblocks.",
  layers: NATIVE_LAYERS,
  fused: NATIVE_FUSED,
};

/** `transformers`' text transformer of CLIP and SigLIP. */
const HF_CLIP: Rows = {
  stem: {
    word: { name: "embeddings.token_embedding.weight" },
    position: { name: "embeddings.position_embedding.weight" },
    ...weightAndBias("norm", "final_layer_norm"),
  },
  blocks: "encoder.layers.",
  layers: HF_CLIP_LAYERS,
};

/** Names of each kind of text tower. */
export const TEXT_NAMES: Readonly<Record<TextNaming, TowerNames<ClipConfig["text"]["kind"]>>> = {
  open_clip: {
    ...NATIVE,
    kind: "clip",
    label: "CLIP's own text transformer",
    head: { weight: { name: "text_projection", as: "transposed" } },
    headBelow: "prefix",
  },
  hf_clip: {
    ...HF_CLIP,
    kind: "clip",
    label: "transformers' CLIP text transformer",
    head: { weight: { name: "text_projection.weight" } },
    headBelow: "none",
  },
  open_clip_siglip: {
    ...NATIVE,
    kind: "siglip",
    label: "open_clip's SigLIP text transformer",
    head: { weight: { name: "text_projection.weight" }, bias: { name: "text_projection.bias" } },
    headBelow: "prefix",
  },
  hf_siglip: {
    ...HF_CLIP,
    kind: "siglip",
    label: "transformers' SigLIP text transformer",
    head: { weight: { name: "head.weight" }, bias: { name: "head.bias" } },
    headBelow: "prefix",
  },
  open_clip_bert: {
    ...BERT,
    label: "BERT in open_clip",
    head: {
      weight: { name: "proj.weight" },
      "fc1.weight": { name: "proj.0.weight" },
      "fc2.weight": { name: "proj.2.weight" },
    },
    headBelow: "parent",
  },
  hf_bert: {
    ...BERT,
    label: "transformers' BERT",
    head: { weight: { name: "text_projection.weight" } },
    headBelow: "none",
  },
  gloria: { ...BERT, label: "GLoRIA's BERT", head: {}, headBelow: "none" },
  mgca: { ...BERT, label: "MGCA's BERT", head: normedHead("global_embed.head"), headBelow: "parent" },
  cxr_clip: {
    ...BERT,
    label: "CXR-CLIP's BERT",
    head: shortcutHead("text_projection"),
    headBelow: "none",
  },
  convirt: {
    ...BERT,
    label: "ConVIRT's BERT",
    head: { ...weightAndBias("fc1", "bert_l1"), ...weightAndBias("fc2", "bert_l2") },
    headBelow: "none",
  },
  pmc_clip: {
    ...BERT,
    label: "PMC-CLIP's BERT",
    head: { weight: { name: "text_projection", as: "transposed" } },
    headBelow: "none",
  },
  medclip: {
    ...BERT,
    label: "MedCLIP's BERT",
    head: { weight: { name: "projection_head.weight" } },
    headBelow: "parent",
  },
  none: { kind: "none", label: "no text tower", head: {}, headBelow: "none", stem: {}, blocks: "", layers: {} },
};
