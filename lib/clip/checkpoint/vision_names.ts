/** The names of image towers, a row for each library's; those of a ResNet and a Swin beside it. A new one goes here, and into `VISION_SIGNS` of find_layout.ts. @module */
import type { VisionConfig } from "../config.ts";
import { RESNET_NAMES, type ResnetNaming } from "./resnet_names.ts";
import { SWIN_NAMES, type SwinNaming } from "./swin_names.ts";
import {
  type ClipPlace,
  HF_5_LAYERS,
  HF_CLIP_LAYERS,
  NATIVE_FUSED,
  NATIVE_LAYERS,
  normedHead,
  TIMM_FUSED,
  TIMM_LAYERS,
  type TowerNames,
  weightAndBias,
} from "./tower_names.ts";

/**
 * Names of an image tower: open_clip's own, open_clip's timm trunk, `transformers`' CLIP or ViT (as files, or as 5 names it), and
 * those of single models.
 */
export type VisionNaming =
  | "open_clip"
  | "timm"
  | "timm_siglip"
  | "timm_eva"
  | "hf_clip"
  | "hf_siglip"
  | "hf_vit"
  | "hf_vit_5"
  | "hf_dinov2"
  | "dinov2"
  | "mgca_vit"
  | ResnetNaming
  | SwinNaming;

const HF_VIT_STEM: TowerNames["stem"] = {
  "patchEmbed.weight": { name: "embeddings.patch_embeddings.projection.weight", as: "convolution" },
  "patchEmbed.bias": { name: "embeddings.patch_embeddings.projection.bias" },
  clsToken: { name: "embeddings.cls_token" },
  posEmbed: { name: "embeddings.position_embeddings" },
  ...weightAndBias("norm", "layernorm"),
  ...weightAndBias("pooler", "pooler.dense"),
};

/** The leaves of an attention pooling, its query, key and value fused. */
function fusedPool(attention: string, names: { norm: string; fc1: string; fc2: string }): Record<string, ClipPlace> {
  const thirds = (["query", "key", "value"] as const).flatMap((part, third) =>
    (["weight", "bias"] as const).map((kind) =>
      [`pool.attention.${part}.${kind}`, { name: `${attention}.in_proj_${kind}`, third: third as 0 | 1 | 2 }] as const
    )
  );
  return {
    ...Object.fromEntries(thirds),
    ...weightAndBias("pool.attention.output", `${attention}.out_proj`),
    ...weightAndBias("pool.norm", names.norm),
    ...weightAndBias("pool.mlp.fc1", names.fc1),
    ...weightAndBias("pool.mlp.fc2", names.fc2),
  };
}

const TIMM_VIT: Omit<TowerNames<"vit">, "label" | "head"> = {
  kind: "vit",
  headBelow: "parent",
  stem: {
    "patchEmbed.weight": { name: "patch_embed.proj.weight", as: "convolution" },
    "patchEmbed.bias": { name: "patch_embed.proj.bias" },
    clsToken: { name: "cls_token" },
    posEmbed: { name: "pos_embed" },
    ...weightAndBias("norm", "norm"),
  },
  blocks: "blocks.",
  layers: TIMM_LAYERS,
  fused: TIMM_FUSED,
};

/** Names of each kind of image tower. */
export const VISION_NAMES: Readonly<Record<VisionNaming, TowerNames<VisionConfig["kind"]>>> = {
  open_clip: {
    kind: "clip",
    label: "CLIP's own ViT",
    head: { weight: { name: "proj", as: "transposed" } },
    headBelow: "prefix",
    stem: {
      "patchEmbed.weight": { name: "conv1.weight", as: "convolution" },
      clsToken: { name: "class_embedding", as: "flat" },
      posEmbed: { name: "positional_embedding", as: "flat" },
      ...weightAndBias("normPre", "ln_pre"),
      ...weightAndBias("norm", "ln_post"),
    },
    blocks: "transformer.resblocks.",
    layers: NATIVE_LAYERS,
    fused: NATIVE_FUSED,
  },
  timm: {
    ...TIMM_VIT,
    label: "timm's ViT",
    head: { weight: { name: "head.proj.weight" } },
  },
  timm_siglip: {
    kind: "vit",
    label: "timm's SigLIP",
    head: {},
    headBelow: "none",
    stem: {
      "patchEmbed.weight": { name: "patch_embed.proj.weight", as: "convolution" },
      "patchEmbed.bias": { name: "patch_embed.proj.bias" },
      posEmbed: { name: "pos_embed" },
      ...weightAndBias("norm", "norm"),
      "pool.probe": { name: "attn_pool.latent" },
      ...weightAndBias("pool.attention.query", "attn_pool.q"),
      "pool.attention.key.weight": { name: "attn_pool.kv.weight", half: 0 },
      "pool.attention.key.bias": { name: "attn_pool.kv.bias", half: 0 },
      "pool.attention.value.weight": { name: "attn_pool.kv.weight", half: 1 },
      "pool.attention.value.bias": { name: "attn_pool.kv.bias", half: 1 },
      ...weightAndBias("pool.attention.output", "attn_pool.proj"),
      ...weightAndBias("pool.norm", "attn_pool.norm"),
      ...weightAndBias("pool.mlp.fc1", "attn_pool.mlp.fc1"),
      ...weightAndBias("pool.mlp.fc2", "attn_pool.mlp.fc2"),
    },
    blocks: "blocks.",
    layers: TIMM_LAYERS,
    fused: TIMM_FUSED,
  },
  hf_clip: {
    kind: "clip",
    label: "transformers' CLIP",
    head: { weight: { name: "visual_projection.weight" } },
    headBelow: "none",
    stem: {
      "patchEmbed.weight": { name: "embeddings.patch_embedding.weight", as: "convolution" },
      clsToken: { name: "embeddings.class_embedding", as: "flat" },
      posEmbed: { name: "embeddings.position_embedding.weight", as: "flat" },
      ...weightAndBias("normPre", "pre_layrnorm"), // so spelt
      ...weightAndBias("norm", "post_layernorm"),
    },
    blocks: "encoder.layers.",
    layers: HF_CLIP_LAYERS,
  },
  hf_siglip: {
    kind: "vit",
    label: "transformers' SigLIP",
    head: {},
    headBelow: "none",
    stem: {
      "patchEmbed.weight": { name: "embeddings.patch_embedding.weight", as: "convolution" },
      "patchEmbed.bias": { name: "embeddings.patch_embedding.bias" },
      posEmbed: { name: "embeddings.position_embedding.weight", as: "flat" },
      ...weightAndBias("norm", "post_layernorm"),
      "pool.probe": { name: "head.probe" },
      ...fusedPool("head.attention", { norm: "head.layernorm", fc1: "head.mlp.fc1", fc2: "head.mlp.fc2" }),
    },
    blocks: "encoder.layers.",
    layers: HF_CLIP_LAYERS,
  },
  hf_vit: {
    kind: "vit",
    label: "transformers' ViT",
    head: { weight: { name: "visual_projection.weight" } },
    headBelow: "none",
    stem: HF_VIT_STEM,
    blocks: "encoder.layer.",
    layers: {
      "norm1": "layernorm_before",
      "norm2": "layernorm_after",
      "attention.query": "attention.attention.query",
      "attention.key": "attention.attention.key",
      "attention.value": "attention.attention.value",
      "attention.output": "attention.output.dense",
      "mlp.fc1": "intermediate.dense",
      "mlp.fc2": "output.dense",
    },
  },
  hf_vit_5: {
    kind: "vit",
    label: "transformers 5's ViT",
    head: { weight: { name: "visual_projection.weight" } },
    headBelow: "none",
    stem: HF_VIT_STEM,
    blocks: "layers.",
    layers: HF_5_LAYERS,
  },
  mgca_vit: { ...TIMM_VIT, label: "MGCA's ViT", head: normedHead("global_embed.head") },
  hf_dinov2: {
    label: "transformers' DINOv2",
    head: {},
    headBelow: "none",
    kind: "dinov2",
    stem: {
      "patchEmbed.weight": { name: "embeddings.patch_embeddings.projection.weight", as: "convolution" },
      "patchEmbed.bias": { name: "embeddings.patch_embeddings.projection.bias" },
      clsToken: { name: "embeddings.cls_token" },
      registers: { name: "embeddings.register_tokens" },
      posEmbed: { name: "embeddings.position_embeddings" },
      ...weightAndBias("norm", "layernorm"),
    },
    blocks: "encoder.layer.",
    layers: {
      "norm1": "norm1",
      "norm2": "norm2",
      "scale1": "layer_scale1.lambda1",
      "scale2": "layer_scale2.lambda1",
      "attention.query": "attention.attention.query",
      "attention.key": "attention.attention.key",
      "attention.value": "attention.attention.value",
      "attention.output": "attention.output.dense",
      "mlp.fc1": "mlp.fc1",
      "mlp.fc2": "mlp.fc2",
    },
  },
  dinov2: {
    label: "DINOv2 under its own names",
    head: {},
    headBelow: "none",
    kind: "dinov2",
    stem: { ...TIMM_VIT.stem, registers: { name: "register_tokens" } },
    blocks: "blocks.",
    layers: { ...TIMM_LAYERS, "scale1": "ls1.gamma", "scale2": "ls2.gamma" },
    fused: TIMM_FUSED,
  },
  timm_eva: {
    label: "timm's EVA-02",
    head: weightAndBias("", "head"),
    headBelow: "prefix",
    kind: "eva02",
    stem: TIMM_VIT.stem,
    blocks: "blocks.",
    layers: {
      ...TIMM_LAYERS,
      "attention.query": "attn.q_proj",
      "attention.key": "attn.k_proj",
      "attention.value": "attn.v_proj",
      "attention.norm": "attn.norm",
      "mlp.fc1": "mlp.fc1_x",
      "mlp.gate": "mlp.fc1_g",
      "mlp.norm": "mlp.norm",
    },
  },
  ...RESNET_NAMES,
  ...SWIN_NAMES,
};
