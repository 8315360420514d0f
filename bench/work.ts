/** The work that is timed, the same for every size: encodings and a training step with the paper's settings. @module */
import * as tf from "@tensorflow/tfjs";
import { aceLoraModel, type AceLoraParams, initAceLora, trainableTensors } from "../lib/ace_lora.ts";
import type { ContrastiveModel } from "../lib/clip/contrastive.ts";
import type { ClipParams } from "../lib/clip/params.ts";
import { encodeImage } from "../lib/clip/towers/image.ts";
import { encodeText } from "../lib/clip/towers/text.ts";
import { BIOMED_CLIP, MINI } from "../lib/clip/architectures.ts";
import type { ClipConfig } from "../lib/clip/config.ts";
import { initClip } from "../lib/clip/params.ts";
import type { Communicator } from "../lib/distributed/communicator.ts";
import { ACE_LORA_HGNN } from "../lib/hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA } from "../lib/peft/lora/config.ts";
import { disposeParams, withTensors } from "../lib/tensor/params.ts";
import { gaussian, mulberry32 } from "../lib/tensor/random.ts";
import type { Tensor, Tensor2D, Tensor4D } from "../lib/tensor/types.ts";
import type { WasmOptions } from "../lib/tensor/wasm/init.ts";
import { adamw, disposeAdamw, initAdamw } from "../lib/train/adamw.ts";
import { type Batch, batchOf } from "../lib/train/batch.ts";
import { packedGradients } from "../lib/train/gradients.ts";

/** The two sizes by name. */
export const SIZES: Readonly<Record<"mini" | "full", ClipConfig>> = { mini: MINI, full: BIOMED_CLIP };

/** Options of {@linkcode makeWork}. */
export interface WorkOptions {
  /** Which model. */
  size: "mini" | "full";
  /** Images, texts or pairs at a time. */
  batch: number;
  /** Pairs encoded at a time in a training step. @default {the batch} */
  microBatch?: number;
}

/** Things to time. Each call does the work once and reads one number, so that it is really done. */
export interface Work {
  /** Training step: loss, gradients, AdamW. */
  step(): Promise<void>;
  /** Image encoding, evaluation mode, merged weights, all projected tokens. */
  encodeImages(): Promise<void>;
  /** Text encoding, evaluation mode, merged weights, all projected tokens. */
  encodeTexts(): Promise<void>;
  /** Frees the tensors, but for the model of that size, which is kept. */
  dispose(): void;
}

/** Random images `[B, S, S, 3]`. */
export function randomPixels(config: ClipConfig, batch: number, seed = 1): Tensor4D {
  const next = mulberry32(seed);
  const { imageSize } = config.vision;
  const values = Float32Array.from({ length: batch * imageSize ** 2 * 3 }, () => gaussian(next));
  return tf.tensor4d(values, [batch, imageSize, imageSize, 3]);
}

/** Random texts `[B, N]`, a quarter to all of the context long, then pads. */
export function randomIds(config: ClipConfig, batch: number, seed = 2): Tensor2D {
  const next = mulberry32(seed);
  const { contextLength: length, vocabularySize } = config.text;
  const ids = new Int32Array(batch * length);
  for (let row = 0; row < batch; row++) {
    const words = Math.floor(length * (0.25 + 0.75 * next()));
    for (let i = 0; i < words; i++) ids[row * length + i] = 5 + Math.floor(next() * (vocabularySize - 5));
  }
  return tf.tensor2d(ids, [batch, length], "int32");
}

const models = new Map<string, ClipParams>();

/** The frozen model of a size, random weights, made once: at full size it takes 0.8 GB. */
export function frozenModel(size: "mini" | "full"): ClipParams {
  const model = models.get(size) ?? initClip(SIZES[size], 1);
  models.set(size, model);
  return model;
}

/** A model in training. */
export interface Training {
  /** A step on the samples it was started with; its loss, which the caller frees. */
  step(options: { microBatch: number; ranks?: Communicator }): Promise<Tensor>;
  /** Frees what is trained, but for `keep`. */
  dispose(keep?: ClipParams): void;
}

/** Starts training with AdamW, as `fit` does it. */
export function startTraining(
  model: ContrastiveModel<AceLoraParams>,
  start: AceLoraParams,
  samples: Batch,
): Training {
  let params = start;
  let state = initAdamw(trainableTensors(params));
  return {
    async step(options) {
      const how = { layout: state.layout, seed: state.step + 1, ...options };
      const { value, gradients } = await packedGradients(model, params, samples, how);
      const old = trainableTensors(params);
      const next = adamw(state, old, gradients, 1e-4);
      params = withTensors(params, next.tensors);
      tf.dispose([...old.values(), ...gradients]);
      disposeAdamw(state);
      state = next.state;
      return value;
    },
    dispose(keep) {
      disposeParams(params, keep);
      disposeAdamw(state);
    },
  };
}

/** Builds the work on the model of a size; its training step is shared by `ranks`, if there are any. */
export async function makeWork(options: WorkOptions, ranks?: Communicator): Promise<Work> {
  const { size, batch, microBatch = batch } = options;
  const encoders = SIZES[size];
  const config = { encoders, lora: ACE_LORA_LORA, hgnn: ACE_LORA_HGNN };
  const base = frozenModel(size);
  const pixels = randomPixels(encoders, batch);
  const ids = randomIds(encoders, batch);
  const samples = batchOf({ pixels, ids });
  const training = startTraining(aceLoraModel(config), await initAceLora(base, config), samples);
  const encode = async (f: () => { tokens: Tensor; affinity?: Tensor }): Promise<void> => {
    const { tokens, affinity } = f();
    await firstNumber(tokens);
    tf.dispose([tokens, ...(affinity ? [affinity] : [])]);
  };
  return {
    async step() {
      const value = await training.step({ microBatch, ...(ranks ? { ranks } : {}) });
      await value.data();
      value.dispose();
    },
    encodeImages: () => encode(() => encodeImage(base, pixels, encoders, { affinity: "logits" })),
    encodeTexts: () => encode(() => encodeText(base, ids, encoders, { affinity: "probabilities" })),
    dispose() {
      training.dispose(base);
      tf.dispose([pixels, ids]);
    },
  };
}

/** A library only with `--allow-ffi`: one that ACE_BLAS names would be refused without. */
export function allowedLibrary(): Pick<WasmOptions, "blas"> {
  return Deno.permissions.querySync({ name: "ffi" }).state === "granted" ? {} : { blas: "off" };
}

/** Waits until a tensor has been computed, by reading one number of it. */
export async function firstNumber(x: Tensor): Promise<number> {
  const first = tf.tidy(() => tf.slice(tf.reshape(x, [x.size]), [0], [1]));
  const [value] = await first.data();
  first.dispose();
  return value!;
}
