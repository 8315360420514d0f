/** Published models, as data. @module */
import type { BertConfig, CausalTextConfig, ClipConfig, NoTextConfig, SiglipTextConfig, VitConfig } from "./config.ts";

/** Of an image tower alone. */
export const NO_TEXT: NoTextConfig = {
  kind: "none",
  ...{ vocabularySize: 0, contextLength: 0, positions: 0, width: 0, depth: 0, heads: 0, mlpWidth: 0, epsilon: 0 },
};

/**
 * BiomedCLIP: timm's `vit_base_patch16_224` and PubMedBERT, 512-dimensional embedding.
 *
 * Source: `hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224`, its open_clip configuration. The word table of
 * a checkpoint may have 28,895 or 30,522 rows; loading takes the number from the file.
 */
export const BIOMED_CLIP: ClipConfig & { vision: VitConfig; text: BertConfig } = {
  vision: {
    kind: "vit",
    imageSize: 224,
    patchSize: 16,
    width: 768,
    depth: 12,
    heads: 12,
    mlpWidth: 3072,
    epsilon: 1e-6,
    activation: "gelu",
    pool: "cls",
  },
  text: {
    kind: "bert",
    vocabularySize: 30522,
    contextLength: 256,
    positions: 512,
    width: 768,
    depth: 12,
    heads: 12,
    mlpWidth: 3072,
    epsilon: 1e-12,
    tokenTypes: 2,
    pool: "cls",
    head: "mlp",
    headWidth: 640,
    dropout: 0.1,
  },
  embedding: 512,
  similarity: "softmax",
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
  resizeMode: "shortest",
  interpolation: "bicubic",
};

/** The demo's generalist: the same architecture with about a million parameters, for 64-pixel images and short reports. */
export const MINI: ClipConfig & { vision: VitConfig; text: BertConfig } = {
  ...BIOMED_CLIP,
  vision: { ...BIOMED_CLIP.vision, imageSize: 64, patchSize: 8, width: 96, depth: 4, heads: 4, mlpWidth: 384 },
  text: {
    ...BIOMED_CLIP.text,
    vocabularySize: 512,
    contextLength: 48,
    positions: 48,
    width: 96,
    depth: 4,
    heads: 4,
    mlpWidth: 384,
    headWidth: 80,
  },
  embedding: 64,
};

/**
 * OpenAI's CLIP ViT-B/16: 149,620,737 numbers.
 *
 * Source: Radford et al. 2021, Table 20; open_clip `model_configs/ViT-B-16-quickgelu.json`.
 */
export const CLIP_VIT_B_16: ClipConfig & { vision: VitConfig; text: CausalTextConfig } = {
  ...BIOMED_CLIP,
  vision: { ...BIOMED_CLIP.vision, kind: "clip", epsilon: 1e-5, activation: "quick-gelu" },
  text: {
    kind: "clip",
    vocabularySize: 49408,
    contextLength: 77,
    positions: 77,
    width: 512,
    depth: 12,
    heads: 8,
    mlpWidth: 2048,
    epsilon: 1e-5,
    activation: "quick-gelu",
  },
};

/**
 * OpenAI's CLIP ViT-B/32, also PubMedCLIP's architecture: 151,277,313 numbers.
 *
 * Source: Radford et al. 2021, Table 20; open_clip `model_configs/ViT-B-32-quickgelu.json`.
 */
export const CLIP_VIT_B_32: ClipConfig & { vision: VitConfig; text: CausalTextConfig } = {
  ...CLIP_VIT_B_16,
  vision: { ...CLIP_VIT_B_16.vision, patchSize: 32 },
};

/**
 * MedSigLIP-448: SigLIP's So400m at 448 pixels, 878,300,338 numbers.
 *
 * Source: `google/medsiglip-448`, its config.json and preprocessor_config.json; Zhai et al. 2023, arXiv 2303.15343.
 */
export const MED_SIGLIP_448: ClipConfig & { vision: VitConfig; text: SiglipTextConfig } = {
  vision: {
    kind: "vit",
    imageSize: 448,
    patchSize: 14,
    width: 1152,
    depth: 27,
    heads: 16,
    mlpWidth: 4304,
    epsilon: 1e-6,
    activation: "gelu-tanh",
    pool: "attention",
  },
  text: {
    kind: "siglip",
    vocabularySize: 32000,
    contextLength: 64,
    positions: 64,
    width: 1152,
    depth: 27,
    heads: 16,
    mlpWidth: 4304,
    epsilon: 1e-6,
    activation: "gelu-tanh",
  },
  embedding: 1152,
  similarity: "sigmoid",
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
  resizeMode: "squash",
  interpolation: "bilinear",
};
