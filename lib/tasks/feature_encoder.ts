/** A model as {@linkcode FeatureEncoder}: images and texts by index, to unit features. @module */
import * as tf from "@tensorflow/tfjs";
import type { AceLoraParams } from "../ace_lora.ts";
import { encodeImages } from "../eval/zero_shot.ts";
import type { ContrastiveModel } from "../model.ts";
import { disposeParams } from "../tensor/params.ts";
import type { Tensor2D } from "../tensor/types.ts";
import { encode } from "../text/tokenizer.ts";
import type { Classifier, NamedImage } from "./classify.ts";
import type { FeatureEncoder } from "./encode_shards.ts";
import { imageSource } from "./sources.ts";

/** What a {@linkcode featureEncoder} reads by index. */
export interface FeatureContent {
  /** Images. */
  images: readonly NamedImage[];
  /** Texts. */
  texts: readonly string[];
}

/** Options of {@linkcode featureEncoder}. */
export interface FeatureEncoderOptions {
  /** Items encoded at a time. @default {16} */
  batchSize?: number;
}

/**
 * Opens a model for encoding: merges its updates; `close` frees the merged weights and the model's own.
 *
 * @param content Images and texts, addressed by index.
 */
export function featureEncoder(
  model: ContrastiveModel<AceLoraParams>,
  { params, config: { encoders }, tokenizer }: Classifier,
  content: FeatureContent,
  options: FeatureEncoderOptions = {},
): FeatureEncoder {
  const { batchSize = 16 } = options;
  const merged = model.forEvaluation(params);
  const { contextLength } = encoders.text;
  const encodeTexts = async (texts: readonly string[]): Promise<Float32Array> => {
    const out = new Float32Array(texts.length * encoders.embedding);
    for (let start = 0; start < texts.length; start += batchSize) {
      const some = texts.slice(start, start + batchSize);
      const ids = tf.tensor2d(
        encode(tokenizer, some, { contextLength }),
        [some.length, contextLength],
        "int32",
      ) as Tensor2D;
      const features = model.textFeatures(merged, ids);
      out.set(await features.data() as Float32Array, start * encoders.embedding);
      tf.dispose([ids, features]);
    }
    return out;
  };
  return {
    width: encoders.embedding,
    async encode(list, indices) {
      if (list === "text") return await encodeTexts(indices.map((i) => content.texts[i]!));
      const cases = indices.map((i) => ({ id: content.images[i]!.name, image: content.images[i]!.image }));
      return await encodeImages(model, merged, imageSource(cases, encoders), { batchSize });
    },
    close() {
      disposeParams(merged, params);
      disposeParams(params);
    },
  };
}
