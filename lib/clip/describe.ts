/** What a model is, in words: for people who were handed a folder. @module */
import type { ClipConfig } from "./config.ts";
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
  padded: (side: number) => `black around to a square, then to ${side} pixels`,
  squash: (side: number) => `both sides to ${side} pixels, aspect not kept`,
} as const;

const ANSWERS = {
  sigmoid: "sigmoid of s cos + b, each label on its own",
  softmax: "softmax of s cos over the labels",
} as const;

/** A text tower in words. */
function describeText(text: ClipConfig["text"]): string {
  const stack = (name: string, place: string): string =>
    `${name}, ${text.contextLength} tokens of ${text.vocabularySize}, ${text.depth} layers of ${text.width}, ${text.heads} ` +
    `heads; read at ${place}`;
  switch (text.kind) {
    case "none":
      return "none: an image tower alone, to be encoded, probed and segmented with";
    case "clip":
      return stack("CLIP's causal transformer", "the end-of-text token");
    case "siglip":
      return stack("SigLIP's transformer, not causal", "the last place");
    case "bert": {
      const states = text.hiddenStates ? `, the mean of the hidden states ${text.hiddenStates.join(", ")}` : "";
      const cleaning = text.cleaning === "report"
        ? "; of a text its sentences of two words or more, in plain letters"
        : "";
      return stack("BERT", BERT_POOLS[text.pool] + states) + cleaning;
    }
  }
}

/** Describes a model by its configuration. */
export function describeClip(config: ClipConfig): ClipDescription {
  const { vision, text, similarity, local, mean, std, resizeMode, resizedTo, interpolation, embedding } = config;
  const rounded = (values: readonly number[]): string => values.map((value) => value.toFixed(4)).join(", ");
  const side = vision.imageSize;
  return {
    images: `${side} x ${side} pixels; ${describeImageTower(vision)}`,
    preparation: `${RESIZES[resizeMode](resizedTo ?? side)}${
      resizedTo ? `, of which ${side} are cut` : ""
    }; ${interpolation}; mean ${rounded(mean)}; deviation ${rounded(std)}`,
    texts: describeText(text),
    similarity: `${embedding} numbers a feature${text.kind === "none" ? "" : `; ${ANSWERS[similarity]}`}${
      local ? "; by a protocol also of words with places" : ""
    }`,
    numbers: countClip(config),
  };
}
