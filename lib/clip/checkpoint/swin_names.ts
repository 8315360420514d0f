/** The names that checkpoints give the tensors of a Swin: `transformers`'. @module */
import type { VisionConfig } from "../config.ts";
import { type TowerNames, weightAndBias } from "./tower_names.ts";

/** Names of an image tower that is a Swin. */
export type SwinNaming = "medclip_swin" | "cxr_clip_swin";

/** `transformers`' Swin, as files before its version 5 have it. */
const HF_SWIN: Omit<TowerNames<"swin">, "label" | "head" | "headBelow"> = {
  kind: "swin",
  stem: {
    "patchEmbed.weight": { name: "embeddings.patch_embeddings.projection.weight", as: "convolution" },
    "patchEmbed.bias": { name: "embeddings.patch_embeddings.projection.bias" },
    ...weightAndBias("normPre", "embeddings.norm"),
    ...weightAndBias("norm", "layernorm"),
  },
  blocks: "encoder.layers.",
  stages: { blocks: ".blocks.", merge: ".downsample." },
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

/** The rows of `VISION_NAMES` that are Swins. */
export const SWIN_NAMES: Readonly<Record<SwinNaming, TowerNames<VisionConfig["kind"]>>> = {
  medclip_swin: {
    ...HF_SWIN,
    label: "MedCLIP's Swin",
    head: { weight: { name: "projection_head.weight" } },
    headBelow: "parent",
  },
  cxr_clip_swin: {
    ...HF_SWIN,
    label: "CXR-CLIP's Swin",
    head: weightAndBias("", "image_projection.projection"),
    headBelow: "none",
  },
};
