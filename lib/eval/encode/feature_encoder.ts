/** A model as {@linkcode FeatureEncoder}: images and texts by index, to unit features. @module */
import * as tf from "@tensorflow/tfjs";
import type { AceLoraParams } from "../../ace_lora.ts";
import type { ClipConfig } from "../../clip/config.ts";
import { checkFeatures, encodeImages, type ImageSource } from "../../clip/zero_shot/scores.ts";
import type { ContrastiveModel } from "../../clip/contrastive.ts";
import { defined } from "../../platform/defined.ts";
import { disposeParams } from "../../tensor/params.ts";
import { type ClipTokenizer, tokenise } from "../../clip/tokenise.ts";
import type { Classifier, NamedImage } from "../classify.ts";
import type { ImageReader } from "../../data/pixels/reader.ts";
import type { FeatureEncoder } from "./shards.ts";
import { imageSource } from "../../data/sources.ts";
import { checkOptions, COUNT, RECORD, type Rules, TEXT } from "../../platform/options.ts";

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
  /** Reads the images that are files of their own. @default {none: each image's `image()`} */
  reader?: ImageReader;
  /** What computes, for the file's metadata. @default {not told} */
  backend?: string;
}

/** What they must be. */
const ENCODER_RULES: Rules<FeatureEncoderOptions> = {
  batchSize: COUNT,
  reader: RECORD,
  backend: TEXT,
};

/**
 * Opens a model for encoding: merges its updates; `close` frees the merged weights and the model's own.
 *
 * Every batch has the same size, a last one is filled up with its last item: kernels round otherwise at other sizes, and a
 * feature would depend, in its last bit, on how many items its shard has.
 *
 * @param content Images and texts, addressed by index.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function featureEncoder(
  model: ContrastiveModel<AceLoraParams>,
  { params, config: { encoders }, tokenizer }: Classifier,
  content: FeatureContent,
  options: FeatureEncoderOptions = {},
): FeatureEncoder {
  checkOptions("encode features", options, ENCODER_RULES);
  const { batchSize = 16, reader, backend } = options;
  const merged = model.forEvaluation(params);
  const texts = textsBy(model, merged, { encoders, tokenizer }, content.texts);
  const all = imageSource(content.images.map(({ name, ...image }) => ({ id: name, ...image })), encoders, {
    keptBytes: 0,
    ...defined({ reader }),
  });
  const images = async (indices: readonly number[]): Promise<Float32Array> => {
    const batch: ImageSource = {
      size: indices.length,
      imageSize: all.imageSize,
      pixels: () => all.pixels(indices),
      name: (place) => content.images[indices[place]!]!.name,
    };
    return await encodeImages(model, merged, batch, { batchSize: batch.size });
  };
  return {
    width: encoders.embedding,
    ...defined({ backend }),
    async encode(list, indices) {
      const [read, size] = list === "text" ? [texts, content.texts.length] : [images, content.images.length];
      const batch = Math.min(batchSize, size);
      const out = new Float32Array(indices.length * encoders.embedding);
      for (let start = 0; start < indices.length; start += batch) {
        const some = indices.slice(start, start + batch);
        if (list === "image") all.prefetch?.(indices.slice(start, start + 2 * batch));
        const filled = [...some, ...Array<number>(batch - some.length).fill(some.at(-1)!)];
        out.set((await read(filled)).subarray(0, some.length * encoders.embedding), start * encoders.embedding);
      }
      return out;
    },
    close() {
      disposeParams(merged, params);
      disposeParams(params);
    },
  };
}

/** Encodes texts by their indices. */
function textsBy(
  model: ContrastiveModel<AceLoraParams>,
  params: AceLoraParams,
  { encoders, tokenizer }: { encoders: ClipConfig; tokenizer: ClipTokenizer },
  all: readonly string[],
): (indices: readonly number[]) => Promise<Float32Array> {
  return async (indices) => {
    const rows = tokenise(tokenizer, indices.map((i) => all[i]!), encoders);
    const ids = tf.tensor2d(rows.ids, [indices.length, rows.contextLength], "int32");
    const features = model.textFeatures(params, ids);
    const values = await features.data<"float32">();
    tf.dispose([ids, features]);
    checkFeatures(values, encoders.embedding, (row) => `text ${indices[row]! + 1}`);
    return values;
  };
}
