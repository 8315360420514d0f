/**
 * Features of one image and one text, kept in a file beside a model with the image itself: whoever loads the model elsewhere, or
 * after an update, sees whether it still computes what it did. Any library that writes safetensors can make one.
 *
 * @module
 */
import type { RasterImage } from "../image/raster.ts";
import { openTree, saveTree, textField, TreeError } from "../io/tree.ts";
import type { TensorData } from "../io/tensors.ts";

/** The file's name in a model's folder. */
export const REFERENCE_NAME = "reference_features.safetensors";

const FORMAT = "ace-lora-reference/1";

/** Largest difference between numbers of unit features that half precision and the order of sums explain. */
export const REFERENCE_TOLERANCE = 1e-3;

/** What a file holds. */
export interface ReferenceFeatures {
  /** The image, grey or RGB of 8 bits. */
  image: RasterImage;
  /** The text; "" of a model without a text tower. */
  text: string;
  /** What computed the features, e.g. `open_clip 3.1.0`. */
  source: string;
  /** Unit feature of the image, `[E]`. */
  imageFeature: Float32Array;
  /** Unit feature of the text, `[E]`; none of a model without a text tower. */
  textFeature?: Float32Array;
}

/**
 * Writes the file, whole or not at all.
 *
 * @param options `isPrivate`: the image may be a patient's, so its owner alone may read the file.
 * @throws {TypeError} If the image is not grey or RGB of 8 bits.
 */
export async function saveReferenceFeatures(
  path: string,
  reference: ReferenceFeatures,
  options: { isPrivate?: boolean } = {},
): Promise<void> {
  const { image: { width, height, channels, bitDepth, data }, text, source, imageFeature, textFeature } = reference;
  if (bitDepth !== 8 || (channels !== 1 && channels !== 3)) {
    throw new TypeError(
      `Cannot keep an image with its features as it must be grey or RGB of 8 bits: it has ${channels} channels of ${bitDepth}`,
    );
  }
  const image: TensorData = { dtype: "U8", shape: [height, width, channels], data: Uint8Array.from(data) };
  const row = (values: Float32Array): TensorData => ({
    dtype: "F32",
    shape: [1, values.length],
    data: new Uint8Array(values.slice().buffer),
  });
  const tree = {
    image,
    image_features: row(imageFeature),
    ...(textFeature ? { text_features: row(textFeature) } : {}),
  };
  await saveTree(path, tree, { format: FORMAT, text, source }, options);
}

/**
 * Reads the file.
 *
 * @param embedding E of the model that it stands beside.
 * @throws {SyntaxError} If it is another file, or its features are of another length.
 */
export async function loadReferenceFeatures(path: string, embedding: number): Promise<ReferenceFeatures> {
  const file = await openTree(path, { noun: "reference features", format: FORMAT });
  const image = file.tensors.get("image");
  const [height = 0, width = 0, channels = 1] = image?.shape ?? [];
  if (image?.dtype !== "U8" || image.shape.length !== 3 || (channels !== 1 && channels !== 3) || width * height === 0) {
    const actual = image ? `${image.dtype} [${image.shape}]` : "no such tensor";
    throw new TreeError(path, '"image"', "U8 of shape [height, width, 1 or 3]", actual);
  }
  const feature = (name: string): Float32Array => {
    const data = file.tensors.get(name);
    if (data?.dtype !== "F32" || data.shape.join() !== `1,${embedding}`) {
      const actual = data ? `${data.dtype} [${data.shape}]` : "no such tensor";
      throw new TreeError(path, `"${name}"`, `F32 of shape [1,${embedding}], as the model's are`, actual);
    }
    return new Float32Array(data.data.slice().buffer);
  };
  return {
    image: { width, height, channels, bitDepth: 8, data: image.data },
    text: textField(file, "text"),
    source: textField(file, "source"),
    imageFeature: feature("image_features"),
    ...(file.tensors.has("text_features") ? { textFeature: feature("text_features") } : {}),
  };
}

/** Largest difference of any number of two features. */
export function featureDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0);
}
