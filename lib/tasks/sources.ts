/** From a data set to what training and evaluation read: pixels, token ids, labels. @module */
import type { Case, Dataset } from "../data/types.ts";
import type { BiomedClipConfig } from "../encoders/config.ts";
import type { ClassPrompts, ImageSource } from "../eval/zero_shot.ts";
import { CHEST_TEMPLATES, promptTexts } from "../eval/prompts.ts";
import { toPixels } from "../image/preprocess.ts";
import { encode, type Tokenizer } from "../text/tokenizer.ts";
import type { BatchSource } from "../train/fit.ts";

/** Most bytes of preprocessed images that are kept between epochs. */
const CACHE_BYTES = 512 * 2 ** 20;

/** Options of {@linkcode imageSource}. */
export interface ImageSourceOptions {
  /** `eval` keeps the aspect and crops the centre, `train` resizes straight. @default {"eval"} */
  mode?: "eval" | "train";
}

/** The images of a data set, decoded and preprocessed when asked for; small sets are kept in memory. */
export function imageSource(
  cases: readonly Case[],
  config: BiomedClipConfig,
  options: ImageSourceOptions = {},
): ImageSource {
  const { mode = "eval" } = options;
  const side = config.vision.imageSize;
  const size = side * side * 3;
  const cache = cases.length * size * 4 <= CACHE_BYTES ? new Map<number, Float32Array>() : undefined;
  const one = async (index: number): Promise<Float32Array> => {
    const known = cache?.get(index);
    if (known) return known;
    const image = await cases[index]!.image();
    const pixels = toPixels(image, { size: side, mode, mean: config.mean, std: config.std });
    cache?.set(index, pixels);
    return pixels;
  };
  return {
    size: cases.length,
    imageSize: side,
    async pixels(indices) {
      const out = new Float32Array(indices.length * size);
      await Promise.all(indices.map(async (index, i) => out.set(await one(index), i * size)));
      return out;
    },
  };
}

/**
 * The image-text pairs of a data set, as training reads them.
 *
 * @throws {TypeError} If a case has no text.
 */
export function pairSource(dataset: Dataset, config: BiomedClipConfig, tokenizer: Tokenizer): BatchSource {
  const { contextLength } = config.text;
  const texts = dataset.cases.map((one) => {
    if (one.text === undefined) {
      throw new TypeError(`Cannot train on case "${one.id}" as it must have a text: it has none`);
    }
    return one.text;
  });
  const ids = encode(tokenizer, texts, { contextLength });
  const images = imageSource(dataset.cases, config, { mode: "train" });
  const labelled = dataset.cases.every((one) => one.labels !== undefined);
  return {
    size: images.size,
    imageSize: images.imageSize,
    contextLength,
    async load(indices) {
      const rows = new Int32Array(indices.length * contextLength);
      indices.forEach((index, i) =>
        rows.set(ids.subarray(index * contextLength, (index + 1) * contextLength), i * contextLength)
      );
      return {
        pixels: await images.pixels(indices),
        ids: rows,
        ...(labelled ? { labels: indices.map((index) => dataset.cases[index]!.labels!) } : {}),
      };
    },
  };
}

/** The prompts of a set's classes, as token ids. */
export function classPrompts(
  classes: readonly string[],
  config: BiomedClipConfig,
  tokenizer: Tokenizer,
  templates: readonly string[] = CHEST_TEMPLATES,
): ClassPrompts {
  const { contextLength } = config.text;
  const ids = encode(tokenizer, promptTexts(classes, templates), { contextLength });
  return { ids, contextLength, prompts: templates.length };
}
