/** A model opened for maps: what an image says about each label, and where. @module */
import * as tf from "@tensorflow/tfjs";
import { type AceLoraConfig, aceLoraModel, type AceLoraParams } from "../../ace_lora.ts";
import { gridSide } from "../../clip/towers/image.ts";
import { encodeClasses, sigmoidScores, zeroShotScores } from "../../clip/zero_shot/scores.ts";
import { classPrompts } from "../../data/sources.ts";
import { takeNumber } from "../../tensor/ops.ts";
import { disposeParams } from "../../tensor/params.ts";
import type { Tensor2D } from "../../tensor/types.ts";
import type { ClipTokenizer } from "../../clip/tokenise.ts";

/** A model with the features of its labels. */
export interface MapModel {
  /** Merged weights. */
  merged: AceLoraParams;
  /** Sizes and what was added. */
  config: AceLoraConfig;
  /** Unit features of the labels' prompts, `[C, E]`. */
  labels: Tensor2D;
  /** Patches a side. */
  side: number;
  /** Cosines `[n, C]`, row-major, of images `[n, S, S, 3]`. */
  cosines(pixels: Float32Array): Promise<Float32Array>;
  /** Probabilities `[n, C]`, row-major, of images `[n, S, S, 3]`. */
  probabilities(pixels: Float32Array): Promise<Float32Array>;
  /** Frees what was opened; the classifier's own weights stay. */
  close(): void;
}

/** Images encoded at a time. */
const BATCH = 16;

/**
 * Opens a model for maps.
 *
 * @param classifier The model; borrowed.
 * @param labels At least two, for probabilities.
 * @param templates Prompt templates. @default {the paper's two}
 */
export async function openMapModel(
  classifier: { params: AceLoraParams; config: AceLoraConfig; tokenizer: ClipTokenizer },
  labels: readonly string[],
  templates?: readonly string[],
): Promise<MapModel> {
  const { params, config, tokenizer } = classifier;
  const { vision, embedding } = config.encoders;
  const { imageSize } = vision;
  const model = aceLoraModel(config);
  const merged = model.forEvaluation(params);
  const prompts = classPrompts(labels, config.encoders, tokenizer, templates);
  const classes = await encodeClasses(model, merged, prompts, prompts.prompts);
  const scale = await takeNumber(model.scale(merged));
  const bias = model.bias ? await takeNumber(model.bias(merged)) : undefined;
  const features = async (pixels: Float32Array): Promise<Float32Array> => {
    const size = imageSize * imageSize * 3;
    const n = pixels.length / size;
    const out = new Float32Array(n * embedding);
    for (let start = 0; start < n; start += BATCH) {
      const count = Math.min(BATCH, n - start);
      const part = pixels.subarray(start * size, (start + count) * size);
      const batch = tf.tensor4d(part, [count, imageSize, imageSize, 3]);
      const features = model.imageFeatures(merged, batch);
      out.set(await features.data(), start * embedding);
      tf.dispose([batch, features]);
    }
    return out;
  };
  const labelFeatures = tf.tensor2d(classes, [labels.length, embedding]);
  return {
    merged,
    config,
    labels: labelFeatures,
    side: gridSide(vision),
    cosines: async (pixels) => rowProducts(await features(pixels), classes, embedding),
    async probabilities(pixels) {
      const images = await features(pixels);
      return bias === undefined
        ? zeroShotScores(images, classes, scale, embedding)
        : sigmoidScores(images, classes, { scale, bias }, embedding);
    },
    close() {
      labelFeatures.dispose();
      disposeParams(merged, params);
    },
  };
}

/** The products of each row of `a` with each of `b`, rows of `width` numbers. */
function rowProducts(a: Float32Array, b: Float32Array, width: number): Float32Array {
  const columns = b.length / width;
  return Float32Array.from({ length: a.length / width * columns }, (_, i) => {
    const [left, right] = [Math.floor(i / columns) * width, i % columns * width];
    let sum = 0;
    for (let e = 0; e < width; e++) sum += a[left + e]! * b[right + e]!;
    return sum;
  });
}
