/** What ACE-LoRA adds to a frozen model: which tensors, how many are trained, and the model with them merged. @module */
import * as tf from "@tensorflow/tfjs";
import type { ClipConfig } from "./clip/config.ts";
import type { ClipParams } from "./clip/params.ts";
import { type AceHgnnConfig, type AceHgnnParams, HGNN_RULES } from "./hypergraph/ace_hgnn.ts";
import { initHgnn } from "./hypergraph/affinities.ts";
import { type FrozenLinear, mergeUpdates } from "./nn/linear.ts";
import { LORA_RULES, type LoraConfig, loraLayers } from "./peft/lora/config.ts";
import { injectLora } from "./peft/lora/inject.ts";
import { checkOptions, FLAG, INTEGER, needed, oneOf, RECORD, type Rules, TEXTS } from "./platform/options.ts";
import { countParams, namedTensors } from "./tensor/params.ts";
import type { Scalar, Tensor } from "./tensor/types.ts";

/** A BiomedCLIP with what ACE-LoRA adds. */
export interface AceLoraParams extends ClipParams {
  /** ACE-HGNN of each encoder that has one. */
  hgnn?: { image?: AceHgnnParams; text?: AceHgnnParams };
  /** Learnable similarity scale; starts at `exp(logitScale)` and is not exponentiated again. */
  scale?: Scalar;
  /** A head over labels, weight `[C, E]` and bias `[C]`: what `supervised.ts` adds; no part of the paper. */
  head?: FrozenLinear;
}

/** What is added to a model, and its sizes. */
export interface AceLoraConfig {
  /** Sizes of the frozen model. */
  encoders: ClipConfig;
  /** Low-rank updates. @default {none} */
  lora?: LoraConfig;
  /** Hypergraph modules. @default {none} */
  hgnn?: AceHgnnConfig;
  /** Learn the similarity scale. @default {true} */
  learnScale?: boolean;
  /** What is trained. @default {the model's own similarity: InfoNCE for a softmax, the sigmoid loss for a sigmoid} */
  loss?: "info-nce" | "sigmoid";
  /**
   * Text affinity: `released` is the masked probabilities where the last text layer carries LoRA, and the unmasked logits (so
   * that pads can be chosen) where it does not. @default {"released"}
   */
  textAffinity?: TextAffinity;
  /** What the head's outputs are called. @default {no head} */
  classes?: readonly string[];
}

/** What its fields must be. */
const ACE_LORA_RULES: Rules<AceLoraConfig> = {
  encoders: needed(RECORD),
  lora: RECORD,
  hgnn: RECORD,
  learnScale: FLAG,
  loss: oneOf(["info-nce", "sigmoid"]),
  textAffinity: oneOf(["released", "probabilities", "logits"]),
  classes: TEXTS,
};

/** Refuses what is no configuration: a setting that there is none of, or of another kind. @throws {TypeError | RangeError} */
export function checkAceLora(config: AceLoraConfig): void {
  checkOptions("adapt a model", config, ACE_LORA_RULES, "setting");
  if (config.lora) checkOptions("adapt a model by LoRA", config.lora, LORA_RULES, "setting");
  if (config.hgnn) checkOptions("adapt a model by ACE-HGNN", config.hgnn, HGNN_RULES, "setting");
}

/** Which CLS attention of the text tower ACE-HGNN reads. */
export type TextAffinity = "released" | "probabilities" | "logits";

/** The text affinity of a configuration, `released` resolved. */
export function textAffinityOf(config: AceLoraConfig): Exclude<TextAffinity, "released"> {
  const { lora, textAffinity = "released" } = config;
  if (textAffinity !== "released") return textAffinity;
  const { depth } = config.encoders.text;
  const isLastLayerAdapted = lora && loraLayers(lora, "text", depth).includes(depth - 1);
  return isLastLayerAdapted ? "probabilities" : "logits";
}

/**
 * A model ready to be adapted: the frozen weights shared with `base`, LoRA, ACE-HGNN and the scale new.
 *
 * @param base Frozen weights.
 * @param config What to add.
 * @param options `seed` of the new weights (@default 1).
 * @returns A new tree; free it with `disposeParams(result, base)`.
 * @throws {TypeError | RangeError} If a setting is unknown, missing or of another kind.
 *
 * @example The paper's additions to the mini model
 * ```ts
 * import { ACE_LORA_HGNN, ACE_LORA_LORA, countTrainable, initAceLora, loadClip, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config } = await loadClip(); // the shipped mini model
 * const additions = { encoders: config, lora: ACE_LORA_LORA, hgnn: { ...ACE_LORA_HGNN, hidden: 16 } };
 * const adapted = await initAceLora(params, additions, { seed: 1 });
 * assertEquals(countTrainable(adapted), 26_945);
 * ```
 */
export async function initAceLora(
  base: ClipParams,
  config: AceLoraConfig,
  options: { seed?: number } = {},
): Promise<AceLoraParams> {
  checkAceLora(config);
  checkOptions("adapt a model", options, { seed: INTEGER });
  const { seed = 1 } = options;
  const { lora, hgnn, learnScale = true } = config;
  const logitScale = (await base.logitScale.data())[0]!;
  const module = (encoder: "image" | "text"): AceHgnnParams =>
    initHgnn(hgnn!, config.encoders.embedding, { seed, name: `ace-hgnn ${encoder}` });
  const injected: AceLoraParams = lora ? injectLora(base, lora, { seed }) : base;
  return {
    ...injected,
    ...(hgnn ? { hgnn: Object.fromEntries(hgnn.encoders.map((encoder) => [encoder, module(encoder)])) } : {}),
    ...(learnScale ? { scale: tf.scalar(Math.exp(logitScale)) } : {}),
  };
}

/** Whether training changes the leaf of this name: LoRA, ACE-HGNN and the scale; all else is frozen. */
export function isTrainable(name: string): boolean {
  return /(^|\.)lora\.lora[AB]$/.test(name) || name.startsWith("hgnn.") || name === "scale";
}

/** The leaves that training changes, by name. */
export function trainableTensors(params: AceLoraParams): Map<string, Tensor> {
  return namedTensors(params, isTrainable);
}

/**
 * How many numbers training changes: 969,217 for BiomedCLIP with the paper's settings.
 *
 * @example Of plain LoRA
 * ```ts
 * import { ACE_LORA_LORA, countTrainable, initAceLora, loadClip, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config } = await loadClip(); // the shipped mini model
 * const adapted = await initAceLora(params, { encoders: config, lora: ACE_LORA_LORA });
 * assertEquals(countTrainable(adapted), 18_433);
 * ```
 */
export function countTrainable(params: AceLoraParams): number {
  return countParams(params, isTrainable);
}

/**
 * The model for evaluation: updates merged into the frozen weights. Free it with `disposeParams(result, params)`.
 *
 * @example No LoRA is left
 * ```ts
 * import { ACE_LORA_LORA, initAceLora, loadClip, mergeAceLora, namedTensors, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config } = await loadClip(); // the shipped mini model
 * const adapted = await initAceLora(params, { encoders: config, lora: ACE_LORA_LORA });
 * const merged = mergeAceLora(adapted);
 * assertEquals([...namedTensors(merged).keys()].filter((name) => name.includes("lora")), []);
 * ```
 */
export function mergeAceLora(params: AceLoraParams): AceLoraParams {
  return mergeUpdates(params);
}
