/** A model asked by a protocol. @module */
import * as tf from "@tensorflow/tfjs";
import { takeNumber } from "../../tensor/ops.ts";
import { disposeParams } from "../../tensor/params.ts";
import { ofRank } from "../../tensor/shape.ts";
import type { Tensor2D, Tensor3D } from "../../tensor/types.ts";
import type { ClipConfig } from "../config.ts";
import type { ContrastiveModel, LocalParts } from "../contrastive.ts";
import { type ClipTokenizer, tokenisePrompts } from "../tokenise.ts";
import { type Protocol, protocolQuestions } from "./protocol.ts";
import { localSimilarities, type TextWords, textWords } from "./local.ts";
import { type ClassFeatures, type LocalScores, protocolScores } from "./protocol_scores.ts";
import { checkFeatures, encodeImages, type EncodeImagesOptions, type ImageSource, type TokenRows } from "./scores.ts";

/** What {@linkcode classifyByProtocol} asks, and in which words. */
export interface ProtocolTask {
  /** How. */
  protocol: Protocol;
  /** Names of the classes. */
  classes: readonly string[];
  /** Sizes of the model. */
  config: ClipConfig;
  /** Its tokeniser. */
  tokenizer: ClipTokenizer;
}

/** Prompts encoded at a time. */
const PROMPT_BATCH = 32;

/**
 * Zero-shot scores of all images by a protocol: merges the updates, encodes both sides, scores.
 *
 * @param params Weights, unmerged.
 * @returns Row-major `[n, C]`.
 * @throws {RangeError} If a class has no prompt.
 *
 * @example CheXzero's pairs
 * ```ts
 * import { aceLoraModel, imageSource, loadClip, rsnaLike, selectBackend } from "@ace-lora/ace-lora";
 * import { classifyByProtocol, PROTOCOLS } from "@ace-lora/ace-lora/clip";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config, tokenizer } = await loadClip(); // the shipped mini model
 * const task = { protocol: PROTOCOLS["chexzero"]!, classes: ["pneumonia"], config, tokenizer };
 * const images = imageSource(rsnaLike(4, 1).cases, config);
 * const scores = await classifyByProtocol(aceLoraModel({ encoders: config }), params, images, task);
 * assertEquals(scores.length, 4); // the probability of each image's
 * ```
 */
export async function classifyByProtocol<T>(
  model: ContrastiveModel<T>,
  params: T,
  images: ImageSource,
  task: ProtocolTask,
  options: EncodeImagesOptions = {},
): Promise<Float32Array> {
  const merged = model.forEvaluation(params);
  let compare: LocalComparison<T> | undefined;
  try {
    const asked = await askedTexts(model, merged, task);
    compare = model.local && asked.words.length > 0
      ? localComparison(model.local, asked.words, task.config)
      : undefined;
    const features = await encodeImages(compare?.within(model) ?? model, merged, images, options);
    const [scale, bias] = [
      await takeNumber(model.scale(merged)),
      model.bias ? await takeNumber(model.bias(merged)) : 0,
    ];
    const similarity = { embedding: task.config.embedding, scale, bias };
    return protocolScores(task.protocol, features, asked.classes, similarity, await compare?.scores(asked.classes));
  } finally {
    compare?.dispose();
    disposeParams(merged, params);
  }
}

/** What a protocol's texts became. */
interface AskedTexts {
  /** Features of each class's prompts, pooled as far as the protocol pools features. */
  classes: ClassFeatures[];
  /** Words of every prompt, class by class, its negatives after its prompts; none unless words are compared. */
  words: TextWords[];
}

/** @param params A tree made by the model's `forEvaluation`. */
async function askedTexts<T>(
  model: ContrastiveModel<T>,
  params: T,
  { protocol, classes, config, tokenizer }: ProtocolTask,
): Promise<AskedTexts> {
  const { pool = "tokens", similarity = "global" } = protocol;
  const readsPads = config.text.kind === "bert" && config.text.readsPads === true;
  const local = similarity === "global" ? undefined : model.local;
  const words: TextWords[] = [];
  const encode = async (texts: readonly string[]): Promise<Float32Array> => {
    const rows = tokenisePrompts(tokenizer, texts, config);
    const { ids, contextLength } = readsPads ? toLongest(rows) : rows;
    const size = pool === "tokens" ? texts.length : PROMPT_BATCH;
    const found: Float32Array[] = [];
    for (let start = 0; start < texts.length; start += size) {
      const own = ids.subarray(start * contextLength, (start + size) * contextLength);
      const count = own.length / contextLength;
      const batch = tf.tensor2d(own, [count, contextLength], "int32");
      const features = model.promptFeatures(params, batch, pool === "tokens" ? count : 1, { readsPads });
      found.push(await features.data<"float32">());
      if (local) words.push(...await wordsOf(local.tokens(params, batch), own, texts.slice(start, start + count)));
      tf.dispose([batch, features]);
    }
    const all = Float32Array.from(found.flatMap((row) => [...row]));
    checkFeatures(all, config.embedding, (row) => `the prompt ${JSON.stringify(texts[row])}`);
    return pool === "features" ? unitMean(all, config.embedding) : all;
  };
  const wordsOf = async (tokens: Tensor3D, ids: Int32Array, texts: readonly string[]): Promise<TextWords[]> => {
    const [, size, width] = tokens.shape;
    const values = await tokens.data<"float32">();
    tokens.dispose();
    return texts.map((text, i) => {
      const own = values.subarray(i * size * width, (i + 1) * size * width);
      return textWords(own, ids.subarray(i * size, (i + 1) * size), text, { config, tokenizer });
    });
  };
  const out: ClassFeatures[] = [];
  for (const { prompts, negatives } of protocolQuestions(protocol, classes)) {
    out.push({ prompts: await encode(prompts), ...(negatives ? { negatives: await encode(negatives) } : {}) });
  }
  return { classes: out, words };
}

/** Rows cut after the longest text of them: what tokenisers pad a list of texts to that are not told a length. */
function toLongest({ ids, contextLength }: TokenRows): TokenRows {
  const longest = ids.reduce((most, id, i) => id === 0 ? most : Math.max(most, i % contextLength + 1), 1);
  return { ids: ids.filter((_, i) => i % contextLength < longest), contextLength: longest };
}

/** Compares the places of images with words while the images are encoded. */
interface LocalComparison<T> {
  /** The model, which compares whatever images it is given. */
  within(model: ContrastiveModel<T>): ContrastiveModel<T>;
  /** The similarities of all images so far. */
  scores(classes: readonly ClassFeatures[]): Promise<LocalScores>;
  /** Frees them. */
  dispose(): void;
}

function localComparison<T>(
  local: LocalParts<T>,
  words: readonly TextWords[],
  { embedding, local: factors }: ClipConfig,
): LocalComparison<T> {
  const batches: Tensor2D[] = []; // [B, prompts]
  return {
    within: (model) => ({
      ...model,
      imageFeatures(params, pixels, options) {
        batches.push(tf.tidy(() => {
          const places = local.places(params, pixels);
          return ofRank(tf.stack(words.map((text) => localSimilarities(places, text, factors!)), 1), 2, "similarities");
        }));
        return model.imageFeatures(params, pixels, options);
      },
    }),
    async scores(classes) {
      const rows: Float32Array[] = [];
      for (const batch of batches) {
        const values = await batch.data<"float32">();
        for (let start = 0; start < values.length; start += words.length) {
          rows.push(values.subarray(start, start + words.length));
        }
      }
      return rows.map((row) => {
        let place = 0;
        const next = ({ length }: Float32Array): Float32Array => row.subarray(place, place += length / embedding);
        return classes.map(({ prompts, negatives }) => ({
          prompts: next(prompts),
          ...(negatives ? { negatives: next(negatives) } : {}),
        }));
      });
    },
    dispose: () => tf.dispose(batches),
  };
}

/** The mean of rows, at unit length. */
export function unitMean(rows: Float32Array, width: number): Float32Array {
  const sum = new Float64Array(width);
  rows.forEach((value, i) => sum[i % width]! += value);
  const length = Math.hypot(...sum);
  return Float32Array.from(sum, (value) => value / length);
}
