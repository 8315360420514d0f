/** How inputs of the exported towers are prepared, and what their features become. @module */
import type { ClipConfig } from "../../clip/config.ts";
import { OPSET } from "./graph.ts";

/** What a tokenizer makes of a text, by the kind of tower. */
const TOKENIZERS: Readonly<Record<ClipConfig["text"]["kind"], { tokenizer: string; padded: string }>> = {
  bert: { tokenizer: "WordPiece, [CLS] text [SEP]", padded: "with 0" },
  clip: { tokenizer: "byte-level BPE, start text end", padded: "with 0" },
  none: { tokenizer: "none", padded: "nowhere" },
  siglip: { tokenizer: "SentencePiece, text end", padded: "as the model's tokenizer does; the last place is read" },
};

/** What whoever runs the files must know: preprocessing.json. */
export function preprocessingFacts(
  config: ClipConfig,
  { scale, bias = 0 }: { scale: number; bias?: number },
): Record<string, unknown> {
  const { vision, text, mean, std, resizeMode, resizedTo, interpolation, similarity } = config;
  const { tokenizer, padded } = TOKENIZERS[text.kind];
  return {
    image: {
      input: "pixel_values",
      layout: "[batch, 3, size, size], float32, RGB",
      size: vision.imageSize,
      resize: resizeMode,
      ...(resizedTo === undefined ? {} : { resized_to: resizedTo }),
      interpolation,
      rescale: "value / 255",
      mean,
      std,
    },
    text: {
      input: "input_ids",
      layout: `[batch, context_length], int64, padded ${padded}`,
      context_length: text.contextLength,
      tokenizer,
    },
    similarity: similarity === "sigmoid"
      ? { kind: similarity, scale, bias, formula: "sigmoid(scale * image_features @ text_features.T + bias)" }
      : { kind: similarity, scale, formula: "softmax(scale * image_features @ text_features.T)" },
    opset: OPSET,
  };
}
