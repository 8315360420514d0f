/** A model asked by a protocol. @module */
import * as tf from "@tensorflow/tfjs";
import { takeNumber } from "../../tensor/ops.ts";
import { disposeParams } from "../../tensor/params.ts";
import type { ClipConfig } from "../config.ts";
import type { ContrastiveModel } from "../contrastive.ts";
import { type ClipTokenizer, tokenisePrompts } from "../tokenise.ts";
import { type Protocol, protocolQuestions } from "./protocol.ts";
import { type ClassFeatures, protocolScores } from "./protocol_scores.ts";
import { checkFeatures, encodeImages, type EncodeImagesOptions, type ImageSource } from "./scores.ts";

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
  try {
    const classes = await protocolFeatures(model, merged, task);
    const features = await encodeImages(model, merged, images, options);
    const [scale, bias] = [
      await takeNumber(model.scale(merged)),
      model.bias ? await takeNumber(model.bias(merged)) : 0,
    ];
    return protocolScores(task.protocol, features, classes, { embedding: task.config.embedding, scale, bias });
  } finally {
    disposeParams(merged, params);
  }
}

/**
 * Features of each class's prompts, pooled as far as the protocol pools features.
 *
 * @param params A tree made by the model's `forEvaluation`.
 */
async function protocolFeatures<T>(
  model: ContrastiveModel<T>,
  params: T,
  { protocol, classes, config, tokenizer }: ProtocolTask,
): Promise<ClassFeatures[]> {
  const { pool = "tokens" } = protocol;
  const encode = async (texts: readonly string[]): Promise<Float32Array> => {
    const { ids, contextLength } = tokenisePrompts(tokenizer, texts, config);
    const size = pool === "tokens" ? texts.length : PROMPT_BATCH;
    const rows: Float32Array[] = [];
    for (let start = 0; start < texts.length; start += size) {
      const own = ids.subarray(start * contextLength, (start + size) * contextLength);
      const count = own.length / contextLength;
      const batch = tf.tensor2d(own, [count, contextLength], "int32");
      const features = model.promptFeatures(params, batch, pool === "tokens" ? count : 1);
      rows.push(await features.data() as Float32Array);
      tf.dispose([batch, features]);
    }
    const all = Float32Array.from(rows.flatMap((row) => [...row]));
    checkFeatures(all, config.embedding, (row) => `the prompt ${JSON.stringify(texts[row])}`);
    return pool === "features" ? unitMean(all, config.embedding) : all;
  };
  const out: ClassFeatures[] = [];
  for (const { prompts, negatives } of protocolQuestions(protocol, classes)) {
    out.push({ prompts: await encode(prompts), ...(negatives ? { negatives: await encode(negatives) } : {}) });
  }
  return out;
}

/** The mean of rows, at unit length. */
export function unitMean(rows: Float32Array, width: number): Float32Array {
  const sum = new Float64Array(width);
  rows.forEach((value, i) => sum[i % width]! += value);
  const length = Math.hypot(...sum);
  return Float32Array.from(sum, (value) => value / length);
}
