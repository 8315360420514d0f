/** What a model is, in words: for people who were handed a folder. @module */
import type { BertConfig, ClipConfig } from "./config.ts";
import { countClip } from "./params.ts";
import { describeImageTower } from "./towers/image.ts";

/** One line a part. */
export interface ClipDescription {
  /** Image tower, and what of it is read. */
  images: string;
  /** What is done with an image before. */
  preparation: string;
  /** Text tower, and what of it is read. */
  texts: string;
  /** How features become answers. */
  similarity: string;
  /** Numbers of the whole model. */
  numbers: number;
}

const BERT_POOLS = {
  cls: "the CLS token",
  pooler: "the CLS token through a dense layer and tanh",
  eos: "the last real token",
  mean: "the mean of the real tokens",
} as const;
const RESIZES = {
  shortest: (side: number) => `shorter side to ${side} pixels, then the centre`,
  longest: (side: number) => `longer side to ${side} pixels, black on both sides of the other`,
  squash: (side: number) => `both sides to ${side} pixels, aspect not kept`,
} as const;

function textPlace({ pool, hiddenStates }: BertConfig): string {
  return `${BERT_POOLS[pool]}${hiddenStates ? `, the mean of the hidden states ${hiddenStates.join(", ")}` : ""}`;
}

/** Describes a model by its configuration. */
export function describeClip(config: ClipConfig): ClipDescription {
  const { vision, text, similarity, mean, std, resizeMode, resizedTo, interpolation, embedding } = config;
  const layers = ({ depth, width, heads }: { depth: number; width: number; heads: number }): string =>
    `${depth} layers of ${width}, ${heads} heads`;
  const rounded = (values: readonly number[]): string => values.map((value) => value.toFixed(4)).join(", ");
  const side = vision.imageSize;
  return {
    images: `${side} x ${side} pixels; ${describeImageTower(vision)}`,
    preparation: `${RESIZES[resizeMode](resizedTo ?? side)}${
      resizedTo ? `, of which ${side} are cut` : ""
    }; ${interpolation}; mean ${rounded(mean)}; deviation ${rounded(std)}`,
    texts: `${
      text.kind === "bert"
        ? "BERT"
        : text.kind === "siglip"
        ? "SigLIP's transformer, not causal"
        : "CLIP's causal transformer"
    }, ${text.contextLength} tokens of ${text.vocabularySize}, ${layers(text)}; read at ${
      text.kind === "bert" ? textPlace(text) : text.kind === "siglip" ? "the last place" : "the end-of-text token"
    }`,
    similarity: `${embedding} numbers a feature; ${
      similarity === "sigmoid" ? "sigmoid of s cos + b, each label on its own" : "softmax of s cos over the labels"
    }`,
    numbers: countClip(config),
  };
}
