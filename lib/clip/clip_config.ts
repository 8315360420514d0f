/** Sizes of any CLIP: a vision transformer beside CLIP's own text transformer or a BERT. @module */
import type { Activation } from "../nn/mlp.ts";
import { type BertConfig, BIOMED_CLIP, type PairConfig, type TextTransformerConfig, type VitConfig } from "./config.ts";

/** The image tower. */
export interface ClipVisionConfig extends VitConfig {
  /** `clip`: LayerNorm before the blocks, patch embedding without bias; `vit`: a bias and no such norm. */
  kind: "clip" | "vit";
  /** Of the feed-forward parts. */
  activation: Activation;
  /** Whether a dense layer and tanh stand between the CLS token and the projection, as in `transformers`' ViT. */
  pooler: boolean;
}

/** CLIP's own text tower: causal, pre-norm, read at the end-of-text token. */
export interface ClipTextConfig extends TextTransformerConfig {
  /** Tells it from a BERT. */
  kind: "clip";
  /** Of the feed-forward parts. */
  activation: Activation;
  /** Id whose first place is read. @default {the largest id of the text} */
  eotId?: number;
}

/** A BERT as text tower. */
export interface ClipBertConfig extends BertConfig {
  /** Tells it from CLIP's own. */
  kind: "bert";
  /** Rows of the token-type table. */
  tokenTypes: number;
  /** What is read: the CLS token, the same through a dense layer and tanh, or the mean of the real tokens. */
  pool: "cls" | "pooler" | "mean";
  /** Projection: one layer, or two with a GELU between (`headWidth` wide; 0 for one layer). */
  head: "linear" | "mlp";
}

/** A pair of towers with a common embedding. */
export interface ClipConfig extends PairConfig {
  /** Image tower. */
  vision: ClipVisionConfig;
  /** Text tower. */
  text: ClipTextConfig | ClipBertConfig;
}

/**
 * OpenAI's CLIP ViT-B/16: 149,620,737 numbers.
 *
 * Source: Radford et al. 2021, Table 20; open_clip `model_configs/ViT-B-16-quickgelu.json`.
 */
export const CLIP_VIT_B_16: ClipConfig = {
  vision: {
    kind: "clip",
    imageSize: 224,
    patchSize: 16,
    width: 768,
    depth: 12,
    heads: 12,
    mlpWidth: 3072,
    epsilon: 1e-5,
    activation: "quick-gelu",
    pooler: false,
  },
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
  embedding: 512,
  mean: BIOMED_CLIP.mean,
  std: BIOMED_CLIP.std,
};

/**
 * OpenAI's CLIP ViT-B/32, also PubMedCLIP's architecture: 151,277,313 numbers.
 *
 * Source: Radford et al. 2021, Table 20; open_clip `model_configs/ViT-B-32-quickgelu.json`.
 */
export const CLIP_VIT_B_32: ClipConfig = { ...CLIP_VIT_B_16, vision: { ...CLIP_VIT_B_16.vision, patchSize: 32 } };
