/** The names that checkpoints give the tensors of a Swin: timm's, `transformers`', and those of single models. @module */
import type { VisionConfig } from "../config.ts";
import { HF_5_LAYERS, shortcutHead, TIMM_FUSED, TIMM_LAYERS, type TowerNames, weightAndBias } from "./tower_names.ts";

/** Names of an image tower that is a Swin. */
export type SwinNaming = "timm_swin" | `${"hf" | "medclip" | "cxr_clip"}_swin${"" | "_5"}`;

type HfSwinNaming = "hf_swin" | "medclip_swin" | "cxr_clip_swin";
type SwinRows = Omit<TowerNames<"swin">, "label" | "head" | "headBelow">;

/** `transformers`' Swin, as files before its version 5 have it. */
const HF_SWIN: SwinRows = {
  kind: "swin",
  stem: {
    "patchEmbed.weight": { name: "embeddings.patch_embeddings.projection.weight", as: "convolution" },
    "patchEmbed.bias": { name: "embeddings.patch_embeddings.projection.bias" },
    ...weightAndBias("normPre", "embeddings.norm"),
    ...weightAndBias("norm", "layernorm"),
  },
  blocks: "encoder.layers.",
  stages: { blocks: ".blocks.", merge: ".downsample.", firstMerge: 0 },
  layers: {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.relativeBias": "attention.self.relative_position_bias_table",
    "attention.output": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
  },
};

/** The same in memory since version 5, which state_dict() gives. */
const HF_SWIN_5: SwinRows = {
  ...HF_SWIN,
  layers: { ...HF_5_LAYERS, "attention.relativeBias": "attention.relative_position_bias.relative_position_bias_table" },
};

/** timm's, whose merging stands with the stage that it begins. */
const TIMM_SWIN: SwinRows = {
  kind: "swin",
  stem: {
    "patchEmbed.weight": { name: "patch_embed.proj.weight", as: "convolution" },
    "patchEmbed.bias": { name: "patch_embed.proj.bias" },
    ...weightAndBias("normPre", "patch_embed.norm"),
    ...weightAndBias("norm", "norm"),
  },
  blocks: "layers.",
  stages: { blocks: ".blocks.", merge: ".downsample.", firstMerge: 1 },
  layers: { ...TIMM_LAYERS, "attention.relativeBias": "attn.relative_position_bias_table" },
  fused: TIMM_FUSED,
};

type Head = Pick<TowerNames, "head" | "headBelow">;

/** A model's two rows. */
function hfRows<Name extends HfSwinNaming>(
  name: Name,
  label: string,
  head: Head,
): Record<Name | `${Name}_5`, TowerNames<VisionConfig["kind"]>> {
  const rows = { [name]: { ...HF_SWIN, label, ...head }, [`${name}_5`]: { ...HF_SWIN_5, label, ...head } };
  return rows as Record<Name | `${Name}_5`, TowerNames<VisionConfig["kind"]>>;
}

/** The rows of `VISION_NAMES` that are Swins. */
export const SWIN_NAMES: Readonly<Record<SwinNaming, TowerNames<VisionConfig["kind"]>>> = {
  timm_swin: {
    ...TIMM_SWIN,
    label: "timm's Swin",
    head: { weight: { name: "head.proj.weight" } },
    headBelow: "parent",
  },
  ...hfRows("hf_swin", "transformers' Swin", {
    head: { weight: { name: "visual_projection.weight" } },
    headBelow: "none",
  }),
  ...hfRows("medclip_swin", "MedCLIP's Swin", {
    head: { weight: { name: "projection_head.weight" } },
    headBelow: "parent",
  }),
  ...hfRows("cxr_clip_swin", "CXR-CLIP's Swin", { head: shortcutHead("image_projection"), headBelow: "none" }),
};
