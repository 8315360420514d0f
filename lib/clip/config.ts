/** Encoder configurations: the same blocks at every size. @module */

/** A stack of transformer layers. */
export interface TransformerConfig {
  /** Token width D. */
  width: number;
  /** Number of layers. */
  depth: number;
  /** Heads of each attention. */
  heads: number;
  /** Hidden width of the feed-forward part. */
  mlpWidth: number;
  /** LayerNorm epsilon. */
  epsilon: number;
}

/** A Vision Transformer with a linear projection head. */
export interface VitConfig extends TransformerConfig {
  /** Image side, pixels. */
  imageSize: number;
  /** Patch side, pixels. */
  patchSize: number;
}

/** A transformer that reads texts. */
export interface TextTransformerConfig extends TransformerConfig {
  /** Rows of the word-embedding table. */
  vocabularySize: number;
  /** Tokens a text is padded or cut to. */
  contextLength: number;
  /** Rows of the position table. */
  positions: number;
}

/** A BERT encoder with a two-layer projection head. */
export interface BertConfig extends TextTransformerConfig {
  /** Hidden width of the projection head. */
  headWidth: number;
  /** BERT's own dropout while training: embeddings, and in each layer what attention and feed-forward part add. */
  dropout: number;
  /** Likewise of the attention probabilities; layers whose attention carries LoRA have neither. @default {dropout} */
  attentionDropout?: number;
}

/** What any pair of towers has in common. */
export interface PairConfig {
  /** Embedding size E. */
  embedding: number;
  /** Mean of each colour channel, of `[0, 1]`. */
  mean: readonly [number, number, number];
  /** Standard deviation of each colour channel. */
  std: readonly [number, number, number];
}

/** A pair of towers with a common embedding. */
export interface BiomedClipConfig extends PairConfig {
  /** Image tower. */
  vision: VitConfig;
  /** Text tower. */
  text: BertConfig;
}

/**
 * BiomedCLIP: timm's `vit_base_patch16_224` and PubMedBERT, 512-dimensional embedding.
 *
 * Source: `hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224`, its open_clip configuration. The word table of
 * a checkpoint may have 28,895 or 30,522 rows; loading takes the number from the file.
 */
export const BIOMED_CLIP: BiomedClipConfig = {
  vision: { imageSize: 224, patchSize: 16, width: 768, depth: 12, heads: 12, mlpWidth: 3072, epsilon: 1e-6 },
  text: {
    vocabularySize: 30522,
    contextLength: 256,
    positions: 512,
    width: 768,
    depth: 12,
    heads: 12,
    mlpWidth: 3072,
    headWidth: 640,
    epsilon: 1e-12,
    dropout: 0.1,
  },
  embedding: 512,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};

/** The demo's generalist: the same architecture with about a million parameters, for 64-pixel images and short reports. */
export const MINI: BiomedClipConfig = {
  vision: { imageSize: 64, patchSize: 8, width: 96, depth: 4, heads: 4, mlpWidth: 384, epsilon: 1e-6 },
  text: {
    vocabularySize: 512,
    contextLength: 48,
    positions: 48,
    width: 96,
    depth: 4,
    heads: 4,
    mlpWidth: 384,
    headWidth: 80,
    epsilon: 1e-12,
    dropout: 0.1,
  },
  embedding: 64,
  mean: BIOMED_CLIP.mean,
  std: BIOMED_CLIP.std,
};
