/** LoRA with few labels: trained on the images of the shots, asked zero-shot. @module */
import type { ClipParams } from "../../clip/params.ts";
import type { ClipConfig } from "../../clip/config.ts";
import type { ClipTokenizer } from "../../clip/tokenise.ts";
import { classifyZeroShot, type ImageSource } from "../../clip/zero_shot/scores.ts";
import { CHEST_TEMPLATES } from "../../clip/zero_shot/prompts.ts";
import { classPrompts, pairSource } from "../../data/sources.ts";
import type { Case, Dataset } from "../../data/types.ts";
import { loraMethod } from "../../peft/lora/method.ts";
import { disposeParams } from "../../tensor/params.ts";
import { fit } from "../../train/fit.ts";

/** The model that is adapted, and what it is asked. */
export interface LoraProbe {
  /** Frozen weights; borrowed. */
  base: ClipParams;
  /** Its sizes. */
  encoders: ClipConfig;
  /** Its tokeniser. */
  tokenizer: ClipTokenizer;
  /** The set: classes under the names that prompts use. */
  dataset: Dataset;
  /** The images asked about. */
  queries: ImageSource;
  /** Prompt templates; the first one is trained with. @default {the paper's two} */
  templates?: readonly string[];
}

/** Options of {@linkcode loraScores}. */
export interface LoraProbeOptions {
  /** Passes over the shots. @default {40} */
  epochs?: number;
  /** Shots a batch. @default {32} */
  batchSize?: number;
  /** Highest learning rate. @default {1e-3} */
  learningRate?: number;
  /** Seed of weights, orders and dropout. @default {1} */
  seed?: number;
  /** Stops after the step under way. */
  signal?: AbortSignal;
}

/**
 * Scores of a model whose LoRA was trained on shots: each image with its class's prompt, under the label-guided loss, which leaves
 * other shots of the same class out of the denominator; then zero-shot.
 *
 * @param shots The cases trained on; each has a target.
 * @returns Row-major `[m, C]`.
 */
export async function loraScores(
  probe: LoraProbe,
  shots: readonly Case[],
  options: LoraProbeOptions = {},
): Promise<Float32Array> {
  const { base, encoders, tokenizer, dataset, queries, templates = CHEST_TEMPLATES } = probe;
  const { epochs = 40, batchSize = 32, learningRate = 1e-3, seed = 1, signal } = options;
  const method = loraMethod(encoders);
  const start = await method.prepare(base, { seed });
  const cases = shots.map((item): Case => ({
    ...item,
    text: templates[0]!.replaceAll("{c}", dataset.classes[item.target!]!),
    labels: dataset.classes.map((_, c) => c === item.target ? 1 : 0),
  }));
  const source = pairSource({ ...dataset, cases }, encoders, tokenizer);
  const { params } = await fit(method.model, start, source, {
    epochs,
    batchSize: Math.min(batchSize, cases.length),
    learningRate,
    seed,
    loss: "label-guided",
    ...(signal ? { signal } : {}),
  });
  const prompts = classPrompts(dataset.classes, encoders, tokenizer, templates);
  try {
    return await classifyZeroShot(method.model, params, queries, prompts);
  } finally {
    disposeParams(params, start);
    disposeParams(start, base);
  }
}
