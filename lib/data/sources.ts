/** From a data set to what training and evaluation read: pixels, token ids, labels. @module */
import { DATASET, IMAGE_RULES } from "./dataset.ts";
import type { Case, Dataset } from "./types.ts";
import type { ClipConfig } from "../clip/config.ts";
import type { ClassPrompts, ImageSource } from "../clip/zero_shot/scores.ts";
import { CHEST_TEMPLATES, promptTexts } from "../clip/zero_shot/prompts.ts";
import { cropResize8, normalise8, type PreprocessOptions, type ToPixelsOptions } from "../image/preprocess.ts";
import { squareRgb } from "./pixels/decode.ts";
import type { ImageReader } from "./pixels/reader.ts";
import { type ClipTokenizer, tokenise, tokenisePrompts } from "../clip/tokenise.ts";
import type { BatchSource } from "../train/source.ts";
import {
  AMOUNT,
  checkItems,
  checkOptions,
  checkRecords,
  checkValue,
  hasField,
  oneOf,
  RECORD,
  type Rule,
  type Rules,
  TEXTS,
} from "../platform/options.ts";
import { defined } from "../platform/defined.ts";

/** Most bytes of images that one source keeps. */
const KEPT_BYTES = 512 * 2 ** 20;

/** Most bytes of images that are read before they are asked for. */
const AHEAD_BYTES = 256 * 2 ** 20;

/** Options of {@linkcode imageSource}. */
export interface ImageSourceOptions {
  /** `eval` keeps the aspect and crops the centre, `train` converts to RGB first and resizes straight. @default {"eval"} */
  mode?: "eval" | "train";
  /** Most bytes of images to keep; 0 keeps none. @default {512 MiB} */
  keptBytes?: number;
  /** Reads the images that are files of their own or in archives, in place of each case's `image()`. @default {none} */
  reader?: ImageReader;
}

/** What they must be. */
const PAIR_SOURCE_RULES: Rules<Pick<ImageSourceOptions, "keptBytes" | "reader">> = {
  keptBytes: AMOUNT,
  reader: RECORD,
};
const MODE = oneOf(["eval", "train"]);
const IMAGE_SOURCE_RULES: Rules<ImageSourceOptions> = { ...PAIR_SOURCE_RULES, mode: MODE };
const CONFIG: Rule = {
  must: "a model's configuration, such as MINI",
  type: "object",
  allows: (config) => hasField(config, "vision"),
};

/** Refuses places at which there is no sample: V8 would tell of what is not there. */
function checkPlaces(action: string, places: readonly number[], size: number): void {
  const allows = (place: unknown): boolean => Number.isInteger(place) && Number(place) >= 0 && Number(place) < size;
  checkItems(action, "the places", places, { must: `a whole number from 0 to ${size - 1}`, type: "number", allows });
}

/** How a model's images are made square: `train` converts to RGB first and resizes straight, `eval` does as the model's configuration says. */
export function squareTransform(config: ClipConfig, mode: "eval" | "train"): PreprocessOptions {
  checkValue("make images square", "config", config, CONFIG);
  checkValue("make images square", "mode", mode, MODE);
  const { resizeMode, interpolation, resizedTo, vision } = config;
  return {
    size: vision.imageSize,
    mode,
    rgbFirst: mode === "train",
    ...defined({ resizeMode, interpolation, resizedTo }),
  };
}

/** How a model's images become its input, for `toPixels`. */
export function inputTransform(config: ClipConfig): ToPixelsOptions {
  const { mean, std, resizeMode, interpolation, resizedTo, vision } = config;
  return { size: vision.imageSize, mean, std, resizeMode, interpolation, ...defined({ resizedTo }) };
}

/**
 * The images of a data set, decoded and resized when asked for. They are kept as 8 bits a channel (3 S² bytes each) and
 * normalised anew each time, in at most `keptBytes`: a set that fits is decoded once. Of a larger one `train` keeps the
 * images decoded last, so that a step in micro-batches, which reads each image twice, decodes it once as long as its batch
 * fits (3,566 images at 224 pixels) and else up to twice; `eval`, which reads each image once, keeps none. A `reader` with a
 * cache on disk keeps none in memory; one with workers reads the next batch's images while this one is computed.
 *
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 *
 * @example Pixels when they are asked for
 * ```ts
 * import { imageSource, MINI, rsnaLike } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * const source = imageSource(rsnaLike(2, 1).cases, MINI);
 * assertEquals((await source.pixels([1])).length, MINI.vision.imageSize ** 2 * 3);
 * ```
 */
export function imageSource(
  cases: readonly Case[],
  config: ClipConfig,
  options: ImageSourceOptions = {},
): ImageSource {
  checkOptions("read images", options, IMAGE_SOURCE_RULES);
  checkRecords("read images", "cases", cases, IMAGE_RULES);
  checkValue("read images", "config", config, CONFIG);
  const { mode = "eval", reader, keptBytes = reader?.isCached ? 0 : KEPT_BYTES } = options;
  const side = config.vision.imageSize;
  const size = side * side * 3;
  const room = Math.floor(keptBytes / size);
  const most = cases.length <= room || mode === "train" ? room : 0;
  const mostAhead = Math.floor(AHEAD_BYTES / size);
  const squares = squaresOf(cases, squareTransform(config, mode), { reader, most, mostAhead });
  return {
    size: cases.length,
    imageSize: side,
    name: (index) => cases[index]!.id,
    prefetch: squares.prefetch,
    async pixels(indices) {
      checkPlaces("read images", indices, cases.length);
      const out = new Float32Array(indices.length * size);
      const place = async (index: number, i: number): Promise<void> =>
        out.set(normalise8(await squares.get(index), config), i * size);
      await Promise.all(indices.map(place));
      return out;
    },
  };
}

/** Images as squares of 8 bits a channel. */
interface Squares {
  get(index: number): Promise<ArrayLike<number>>;
  prefetch(indices: readonly number[]): void;
}

/** The squares of the cases' images, `most` of them kept and `mostAhead` read before they are asked for. */
function squaresOf(
  cases: readonly Case[],
  transform: PreprocessOptions,
  { reader, most, mostAhead }: { reader: ImageReader | undefined; most: number; mostAhead: number },
): Squares {
  const kept = new Map<number, ArrayLike<number>>(); // in the order of decoding
  const ahead = new Map<number, Promise<ArrayLike<number>>>();
  const read = async (index: number): Promise<ArrayLike<number>> => {
    const { path, part, image } = cases[index]!;
    const location = part ?? path;
    if (reader && location !== undefined) return squareRgb(await reader.read(location, transform));
    return cropResize8(await image(), transform).data;
  };
  return {
    async get(index) {
      const known = kept.get(index);
      if (known) return known;
      const coming = ahead.get(index) ?? read(index);
      ahead.delete(index);
      const data = await coming;
      if (most === 0) return data;
      kept.set(index, data);
      if (kept.size > most) kept.delete(kept.keys().next().value!);
      return data;
    },
    prefetch(indices) {
      if (!reader?.isConcurrent) return;
      for (const index of indices) {
        if (ahead.size >= mostAhead) return;
        const { path, part } = cases[index]!;
        if ((part ?? path) === undefined || kept.has(index) || ahead.has(index)) continue;
        const coming = read(index);
        coming.catch(() => {}); // whoever asks for it is told
        ahead.set(index, coming);
      }
    },
  };
}

/**
 * The image-text pairs of a data set, as training reads them; see {@linkcode imageSource} for what is kept.
 *
 * @throws {TypeError} If a case has no text, or these are no data set.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 *
 * @example Synthetic pairs
 * ```ts
 * import { loadClip, pairSource, selectBackend, trainingSet } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { config, tokenizer } = await loadClip();
 * const source = pairSource(trainingSet(4, 1), config, tokenizer);
 * assertEquals((await source.ids([0, 3])).length, 2 * source.contextLength);
 * ```
 */
export function pairSource(
  dataset: Dataset,
  config: ClipConfig,
  tokenizer: ClipTokenizer,
  options: Pick<ImageSourceOptions, "keptBytes" | "reader"> = {},
): BatchSource {
  checkOptions("read pairs", options, PAIR_SOURCE_RULES);
  checkValue("read pairs", "they", dataset, DATASET);
  checkValue("read pairs", "config", config, CONFIG);
  const { contextLength } = config.text;
  const texts = dataset.cases.map((item) => {
    if (item.text === undefined) {
      throw new TypeError(`Cannot train on case "${item.id}" as it must have a text: it has none`);
    }
    return item.text;
  });
  const { ids } = tokenise(tokenizer, texts, config);
  const labelled = dataset.cases.every((item) => item.labels !== undefined);
  return {
    ...imageSource(dataset.cases, config, { ...options, mode: "train" }),
    contextLength,
    ids(indices) {
      checkPlaces("read texts", indices, dataset.cases.length);
      const rows = new Int32Array(indices.length * contextLength);
      indices.forEach((index, i) =>
        rows.set(ids.subarray(index * contextLength, (index + 1) * contextLength), i * contextLength)
      );
      return Promise.resolve(rows);
    },
    ...(labelled
      ? { labels: (indices) => Promise.resolve(indices.map((index) => dataset.cases[index]!.labels!)) }
      : {}),
  };
}

/**
 * The prompts of a set's classes, as token ids.
 *
 * @example Two classes, two templates
 * ```ts
 * import { CHEST_TEMPLATES, classPrompts, loadClip, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { config, tokenizer } = await loadClip();
 * const { ids, contextLength } = classPrompts(["pneumonia", "no finding"], config, tokenizer);
 * assertEquals(ids.length, 2 * CHEST_TEMPLATES.length * contextLength);
 * ```
 */
export function classPrompts(
  classes: readonly string[],
  config: ClipConfig,
  tokenizer: ClipTokenizer,
  templates: readonly string[] = CHEST_TEMPLATES,
): ClassPrompts {
  checkValue("ask of classes", "they", classes, TEXTS);
  checkValue("ask of classes", "config", config, CONFIG);
  return {
    ...tokenisePrompts(tokenizer, promptTexts(classes, templates), config),
    prompts: templates.length,
    name: (index) => `the label ${JSON.stringify(classes[index])}`,
  };
}
