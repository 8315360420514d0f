/** What a CLIP is, as data: the same towers at every size. The published ones are in architectures.ts. @module */
import type { ResizeMode } from "../image/preprocess.ts";
import type { Activation } from "../nn/mlp.ts";

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

/**
 * From a tower's width to the embedding: nothing; one layer without or with a bias; two layers without biases and a GELU between;
 * two with biases and a ReLU between; the same with a batch normalisation after each, the last without gain and offset; two with
 * biases and a GELU between, the second beside a shortcut from the first, a LayerNorm behind.
 */
export type HeadKind = "none" | "linear" | "biased" | "mlp" | "relu-mlp" | "norm-mlp" | "residual-mlp";

/** What every image tower has; what else depends on its `kind`. */
export interface ImageTowerConfig {
  /** Image side S, pixels. */
  imageSize: number;
  /** Token width D. */
  width: number;
  /** Projection. @default {none for a ViT read through attention, `biased` for OpenAI's ResNet, else `linear`} */
  head?: HeadKind;
  /** Hidden width of a projection of two layers. @default {it has one} */
  headWidth?: number;
}

/** The image tower, of one of these kinds. */
export type VisionConfig = VitConfig | SwinConfig | ResnetConfig;

/** A residual network of 1 x 1, 3 x 3 and 1 x 1 convolutions, as wide as its stem times 32. */
export interface ResnetConfig extends ImageTowerConfig {
  /**
   * `clip-resnet`: OpenAI's, with a stem of three convolutions, averages before each step, read through attention; `resnet`: the
   * plain one, a stem of 7 x 7 and a maximum, read by its mean.
   */
  kind: "clip-resnet" | "resnet";
  /** Channels of the stem. */
  stemWidth: number;
  /** Blocks of each stage. */
  stages: readonly number[];
  /** Heads of the attention it is read through; none of the plain one. */
  heads: number;
  /** Side its images are enlarged to inside the tower, bilinearly with corners kept, as GLoRIA and MGCA do. @default {not enlarged} */
  enlargedTo?: number;
}

/** A Vision Transformer. */
export interface VitConfig extends ImageTowerConfig, TransformerConfig {
  /**
   * `vit`: patch embedding with a bias; `clip`: without one, and a LayerNorm before the blocks; `dinov2`: a `vit` with
   * LayerScale; `eva02`: a `vit` with rotary positions, SwiGLU and LayerNorms inside its blocks.
   */
  kind: "clip" | "vit" | "dinov2" | "eva02";
  /** Image side whose patches the position embedding is of; for another it is resampled. @default {imageSize} */
  positionSize?: number;
  /** Added to the grid's side where the spacing of resampled positions is computed, as DINOv2's own code does. @default {0} */
  positionOffset?: number;
  /** Learned tokens between CLS and patches, which nothing reads. @default {0} */
  registers?: number;
  /** Patch side, pixels. */
  patchSize: number;
  /** Of the feed-forward parts. */
  activation: Activation;
  /**
   * What is read: the CLS token, the same through a dense layer and tanh, as in `transformers`' ViT, or the patches through the
   * attention of a learned query, where there is no CLS token and no projection, as in SigLIP.
   */
  pool: "cls" | "pooler" | "attention";
}

/** A Swin Transformer: attention within windows, over a map whose side halves from stage to stage. */
export interface SwinConfig extends ImageTowerConfig {
  /** Tells it from the others. */
  kind: "swin";
  /** Patch side, pixels. */
  patchSize: number;
  /** Blocks and heads of each stage; `width` is the last one's, of each earlier one half. */
  stages: readonly { readonly depth: number; readonly heads: number }[];
  /** Tokens a side of a window. */
  window: number;
  /** Hidden width of the feed-forward parts over the stage's. */
  mlpRatio: number;
  /** LayerNorm epsilon. */
  epsilon: number;
  /** Of the feed-forward parts. */
  activation: Activation;
  /** What is read: the mean of the last stage's tokens, or the first of them. */
  pool: "mean" | "first";
}

/** What both kinds of text tower have. */
export interface TextTransformerConfig extends TransformerConfig {
  /** Rows of the word-embedding table. */
  vocabularySize: number;
  /** Tokens a text is padded or cut to. */
  contextLength: number;
  /** Rows of the position table. */
  positions: number;
}

/** CLIP's own text tower: causal, pre-norm, read at the end-of-text token through a linear head. */
export interface CausalTextConfig extends TextTransformerConfig {
  /** Tells it from a BERT. */
  kind: "clip";
  /** Of the feed-forward parts. */
  activation: Activation;
  /** Id whose first place is read. @default {the largest id of the text} */
  eotId?: number;
}

/** SigLIP's text tower: pre-norm, every token sees all, pads too; read at the last place through a linear head with a bias. */
export interface SiglipTextConfig extends TextTransformerConfig {
  /** Tells it from the others. */
  kind: "siglip";
  /** Of the feed-forward parts. */
  activation: Activation;
}

/** No text tower: an image tower alone, whose sizes of texts are 0. */
export interface NoTextConfig extends TextTransformerConfig {
  /** Tells it from the others. */
  kind: "none";
}

/** A BERT as text tower: post-norm, pads not seen. */
export interface BertConfig extends TextTransformerConfig {
  /** Tells it from CLIP's own. */
  kind: "bert";
  /** Rows of the token-type table; row 0 is used. */
  tokenTypes: number;
  /** What is read: the CLS token, the same through a dense layer and tanh, the last real token, or the mean of the real ones. */
  pool: "cls" | "pooler" | "eos" | "mean";
  /**
   * Hidden states whose mean is read, 0 for the embeddings, i for what layer i gives; the last of them is the top of the tower.
   *
   * @default {the last alone}
   */
  hiddenStates?: readonly number[];
  /** Whether attention sees the pads, as where a model was trained without a mask. @default {false} */
  seesPads?: boolean;
  /** Whether the mean of a class's prompts is over their pads too, up to the longest of them. @default {false} */
  readsPads?: boolean;
  /**
   * How a text is cleaned before it is tokenised: as open_clip does, or as the sentences of a report.
   *
   * @default {"open_clip"}
   */
  cleaning?: "open_clip" | "report";
  /** Projection. */
  head: HeadKind;
  /** Hidden width of a projection of two layers; 0 for others. */
  headWidth: number;
  /** BERT's own dropout while training: embeddings, and in each layer what attention and feed-forward part add. */
  dropout: number;
  /** Likewise of the attention probabilities; layers whose attention carries LoRA have neither. @default {dropout} */
  attentionDropout?: number;
}

/** A pair of towers with a common embedding, and how its images are prepared. */
export interface ClipConfig {
  /** Image tower. */
  vision: VisionConfig;
  /** Text tower. */
  text: CausalTextConfig | SiglipTextConfig | BertConfig | NoTextConfig;
  /** Embedding size E. */
  embedding: number;
  /**
   * How features become probabilities: softmax of `s · V Tᵀ` over the texts (CLIP), or sigmoid of `s · V Tᵀ + b`, each pair on
   * its own (SigLIP).
   */
  similarity: "softmax" | "sigmoid";
  /** The similarity's scale s, of models whose weights do not hold it. @default {among the weights} */
  scale?: number;
  /**
   * Words and places are compared too, by these factors: of a word's attention to places, and of its cosine with what it attends
   * to. @default {features alone}
   */
  local?: { readonly attention: number; readonly cosine: number };
  /** Mean of each colour channel, of `[0, 1]`. */
  mean: readonly [number, number, number];
  /** Standard deviation of each colour channel. */
  std: readonly [number, number, number];
  /** How an image becomes a square. */
  resizeMode: ResizeMode;
  /** Side it is resized to before the image's own is cut from the middle. @default {the image's own} */
  resizedTo?: number;
  /** Of the resize, with antialiasing; `area`: means of what each pixel covers. */
  interpolation: "bicubic" | "bilinear" | "area";
}

/** Blocks of each tower; none of a residual network. */
export function towerDepths({ vision, text }: ClipConfig): { image: number; text: number } {
  const image = vision.kind === "swin"
    ? vision.stages.reduce((sum, { depth }) => sum + depth, 0)
    : "depth" in vision
    ? vision.depth
    : 0;
  return { image, text: text.depth };
}
