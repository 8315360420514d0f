/** Zero-shot classification: images against the prompts of each class. @module */
import * as tf from "@tensorflow/tfjs";
import type { ContrastiveModel } from "../contrastive.ts";
import { CALL, checkOptions, COUNT, oneOf, type Rules } from "../../platform/options.ts";
import { takeNumber } from "../../tensor/ops.ts";
import { disposeParams } from "../../tensor/params.ts";

/** Normalised images by index. */
export interface ImageSource {
  /** Number of images. */
  size: number;
  /** Image side S, pixels. */
  imageSize: number;
  /** Reads images, row-major `[n, S, S, 3]`. */
  pixels(indices: readonly number[]): Promise<Float32Array>;
  /** Begins to read these images, which are asked for next, in this order; a hint. @default {they are read when asked for} */
  prefetch?(indices: readonly number[]): void;
  /** What errors call an image. @default {its place} */
  name?(index: number): string;
}

/** The error for a feature that means nothing: weights too large or damaged give infinities, NaN or zeros. */
export class FeatureError extends RangeError {
  /** Name shown in stack traces. */
  override name = "FeatureError";
  /** Its name. */
  readonly input: string;

  /**
   * An error about the feature of one input.
   *
   * @param input Its name.
   * @param actual What the feature is.
   */
  constructor(input: string, actual: string) {
    super(
      `Cannot use the feature of ${input} as its numbers must be finite and not all 0: ${actual} (the model's weights, or its adapter's, are too large or damaged)`,
    );
    this.input = input;
  }
}

/**
 * Refuses features that mean nothing.
 *
 * @param features Row-major `[n, width]`.
 * @param nameOf What the error calls the input of a row.
 * @throws {FeatureError} Naming the first.
 */
export function checkFeatures(features: Float32Array, width: number, nameOf: (row: number) => string): void {
  for (let row = 0; row * width < features.length; row++) {
    const values = features.subarray(row * width, (row + 1) * width);
    const wrong = values.find((value) => !Number.isFinite(value));
    if (wrong !== undefined) throw new FeatureError(nameOf(row), `one is ${wrong}`);
    if (values.every((value) => value === 0)) throw new FeatureError(nameOf(row), "all are 0");
  }
}

/** Token ids of texts, row-major `[n, N]`. */
export interface TokenRows {
  /** Ids, pads 0. */
  ids: Int32Array;
  /** Tokens a text, N. */
  contextLength: number;
  /** What errors call a class. @default {its place} */
  name?(index: number): string;
}

/** Options of {@linkcode encodeImages}. */
export interface EncodeImagesOptions {
  /** Images encoded at a time. @default {32} */
  batchSize?: number;
  /** Called after each batch with the images done so far. */
  onBatch?: (done: number) => void;
}

/**
 * Unit features of all images.
 *
 * @param params A tree made by the model's `forEvaluation`.
 * @returns Row-major `[n, E]`.
 */
export async function encodeImages<T>(
  model: ContrastiveModel<T>,
  params: T,
  source: ImageSource,
  options: EncodeImagesOptions = {},
): Promise<Float32Array> {
  const { batchSize = 32, onBatch } = options;
  const { imageSize: side } = source;
  let out: Float32Array | undefined;
  for (let start = 0; start < source.size; start += batchSize) {
    const count = Math.min(batchSize, source.size - start);
    source.prefetch?.(range(start, Math.min(2 * batchSize, source.size - start))); // the next batch while this one is computed
    const pixels = tf.tensor4d(await source.pixels(range(start, count)), [count, side, side, 3]);
    let values: Float32Array, width: number;
    try {
      const features = model.imageFeatures(params, pixels);
      values = await features.data<"float32">();
      width = features.shape[1];
      features.dispose();
    } finally {
      pixels.dispose();
    }
    checkFeatures(values, width, (row) => {
      const name = source.name?.(start + row);
      return name === undefined ? `image ${start + row + 1}` : JSON.stringify(name);
    });
    out ??= new Float32Array(source.size * width);
    out.set(values, start * width);
    onBatch?.(start + count);
    await new Promise((resolve) => setTimeout(resolve, 0)); // lets a signal be delivered
  }
  return out ?? new Float32Array(0);
}

function range(start: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => start + i);
}

/**
 * Unit features of classes from their prompts, one class at a time so that memory does not grow with the classes.
 *
 * @param params A tree made by the model's `forEvaluation`.
 * @param tokens Ids of `C · P` prompts, class by class.
 * @param prompts P.
 * @returns Row-major `[C, E]`.
 */
export async function encodeClasses<T>(
  model: ContrastiveModel<T>,
  params: T,
  tokens: TokenRows,
  prompts: number,
): Promise<Float32Array> {
  const { ids, contextLength } = tokens;
  const perClass = contextLength * prompts;
  const rows: Float32Array[] = [];
  for (let start = 0; start < ids.length; start += perClass) {
    const batch = tf.tensor2d(ids.subarray(start, start + perClass), [prompts, contextLength], "int32");
    const features = model.promptFeatures(params, batch, prompts);
    const row = await features.data<"float32">();
    tf.dispose([batch, features]);
    checkFeatures(row, row.length, () => tokens.name?.(rows.length) ?? `class ${rows.length + 1}`);
    rows.push(row);
  }
  const out = new Float32Array(rows.length * (rows[0]?.length ?? 0));
  rows.forEach((row, i) => out.set(row, i * row.length));
  return out;
}

/** What becomes of an image's cosines with the classes: `softmax(s · cos)`, or {@linkcode minMaxScores}. */
export type ZeroShotScore = "softmax" | "min-max";

/**
 * Class probabilities `softmax(s · V Tᵀ)` of each image.
 *
 * @param images Unit features, row-major `[n, E]`.
 * @param classes Unit features, row-major `[C, E]`.
 * @param scale Similarity scale s.
 * @param embedding E.
 * @returns Row-major `[n, C]`; the rows sum to 1.
 */
export function zeroShotScores(
  images: Float32Array,
  classes: Float32Array,
  scale: number,
  embedding: number,
): Float32Array {
  return scoreRows(images, classes, embedding, (cosines) => {
    const logits = cosines.map((cosine) => scale * cosine);
    const max = Math.max(...logits);
    const powers = logits.map((logit) => Math.exp(logit - max));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => power / sum);
  });
}

/**
 * Probabilities `sigmoid(s · V Tᵀ + b)` of each pair of an image and a class, each on its own.
 *
 * Source: Zhai et al., Sigmoid Loss for Language Image Pre-Training, 2023, arXiv 2303.15343.
 *
 * @param images Unit features, row-major `[n, E]`.
 * @param classes Unit features, row-major `[C, E]`.
 * @param similarity `scale` s and `bias` b.
 * @param embedding E.
 * @returns Row-major `[n, C]`.
 */
export function sigmoidScores(
  images: Float32Array,
  classes: Float32Array,
  similarity: { scale: number; bias: number },
  embedding: number,
): Float32Array {
  const { scale, bias } = similarity;
  return scoreRows(
    images,
    classes,
    embedding,
    (cosines) => cosines.map((cosine) => 1 / (1 + Math.exp(-scale * cosine - bias))),
  );
}

/**
 * `exp(V Tᵀ)` of each image, stretched to 0 for its lowest class and 1 for its highest: no scale, no softmax.
 *
 * Source: the authors' evaluation on NIH ChestX-ray14, method section 6.
 *
 * @param images Unit features, row-major `[n, E]`.
 * @param classes Unit features, row-major `[C, E]`, of at least two classes.
 * @param embedding E.
 * @returns Row-major `[n, C]`; all 0 for an image as near to every class.
 */
export function minMaxScores(images: Float32Array, classes: Float32Array, embedding: number): Float32Array {
  return scoreRows(images, classes, embedding, (cosines) => {
    const powers = cosines.map(Math.exp);
    const min = Math.min(...powers);
    const range = Math.max(...powers) - min || 1;
    return powers.map((power) => (power - min) / range);
  });
}

/** Scores of each image out of its cosines with the classes. */
function scoreRows(
  images: Float32Array,
  classes: Float32Array,
  embedding: number,
  score: (cosines: Float64Array) => Float64Array,
): Float32Array {
  const count = classes.length / embedding;
  const out = new Float32Array(images.length / embedding * count);
  const cosines = new Float64Array(count);
  for (let row = 0, base = 0; base < images.length; row++, base += embedding) {
    for (let c = 0; c < count; c++) {
      let dot = 0;
      for (let e = 0; e < embedding; e++) dot += images[base + e]! * classes[c * embedding + e]!;
      cosines[c] = dot;
    }
    out.set(score(cosines), row * count);
  }
  return out;
}

/** The classes of a zero-shot question, as token ids. */
export interface ClassPrompts extends TokenRows {
  /** Prompts a class, P. */
  prompts: number;
}

/** Options of {@linkcode classifyZeroShot}. */
export interface ClassifyZeroShotOptions extends EncodeImagesOptions {
  /** How cosines become scores. @default {"softmax"} */
  score?: ZeroShotScore;
}

/** What they must be. */
const RULES: Rules<ClassifyZeroShotOptions> = { batchSize: COUNT, onBatch: CALL, score: oneOf(["softmax", "min-max"]) };

/**
 * Zero-shot scores of all images for the classes: merges the updates, encodes both sides, scores.
 *
 * @param params Weights, unmerged.
 * @returns Row-major `[n, C]`.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 *
 * @example Synthetic radiographs
 * ```ts
 * import { aceLoraModel, classifyZeroShot, classPrompts, imageSource, loadClip, rsnaLike, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config, tokenizer } = await loadClip(); // the shipped mini model
 * const set = rsnaLike(4, 1);
 * const model = aceLoraModel({ encoders: config, learnScale: false });
 * const prompts = classPrompts(set.classes, config, tokenizer);
 * const scores = await classifyZeroShot(model, params, imageSource(set.cases, config), prompts);
 * assertEquals(scores.length, 4 * set.classes.length);
 * ```
 */
export async function classifyZeroShot<T>(
  model: ContrastiveModel<T>,
  params: T,
  images: ImageSource,
  classes: ClassPrompts,
  options: ClassifyZeroShotOptions = {},
): Promise<Float32Array> {
  checkOptions("classify", options, RULES);
  const merged = model.forEvaluation(params);
  try {
    const classFeatures = await encodeClasses(model, merged, classes, classes.prompts);
    const embedding = classFeatures.length / (classes.ids.length / classes.contextLength / classes.prompts);
    const features = await encodeImages(model, merged, images, options);
    if (options.score === "min-max") return minMaxScores(features, classFeatures, embedding);
    const scale = await takeNumber(model.scale(merged));
    if (!model.bias) return zeroShotScores(features, classFeatures, scale, embedding);
    return sigmoidScores(features, classFeatures, { scale, bias: await takeNumber(model.bias(merged)) }, embedding);
  } finally {
    disposeParams(merged, params);
  }
}
