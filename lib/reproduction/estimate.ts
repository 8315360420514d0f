/** What a reproduction at the paper's scale takes, told before it begins. @module */
import * as tf from "@tensorflow/tfjs";
import { aceLoraModel, countTrainable } from "../ace_lora.ts";
import { PEFT_METHODS } from "../peft/methods.ts";
import { gridSide } from "../clip/towers/image.ts";
import { countParams, disposeParams } from "../tensor/params.ts";
import { sampleBytes } from "../train/step_memory.ts";
import type { ReproduceContext } from "./context.ts";
import type { PlannedRun } from "./plan.ts";

/** Hours, disk and memory that the work ahead takes. */
export interface Estimate {
  /** Seconds that a pair took to be encoded, as measured now. */
  secondsPerPair: number;
  /** Hours of training and evaluation by that: a pair trained costs about four encoded. */
  hours: number;
  /** Bytes on disk: pixel cache, states, adapters and, for table 4, the maps of one adapter. */
  diskBytes: number;
  /** Bytes of memory, about: weights, and the tensors of a micro-batch. */
  memoryBytes: number;
}

/** Encodings that a pair costs in training: features first, then again with a tape, and the way back, which is about two. */
const TRAINED = 4;

/** Images that table 4 maps for each adapter: RSNA's and SIIM's. */
const DENSE_IMAGES = 26_684 + 12_047;

/**
 * Measures how fast a pair is encoded here, and multiplies. Decoding is not in it: it goes on beside the device, and each
 * image is decoded once.
 */
export async function estimate(
  context: ReproduceContext,
  { trained, steps, isDense }: { trained: readonly PlannedRun[]; steps: number; isDense: boolean },
): Promise<Estimate> {
  const { scale, encoders, data } = context;
  const { params } = await context.generalist();
  const { vision } = encoders;
  const secondsPerPair = await pairSeconds(context);
  const evaluated = Object.values(await data.sets("chest").catch(() => ({})))
    .reduce((sum, { dataset }) => sum + dataset.cases.length, 0);
  const pairs = trained.length > 0 ? (await data.train()).cases.length : 0;
  const adapted = await PEFT_METHODS["ace-lora"](encoders).prepare(params, { seed: 1 });
  const trainable = countTrainable(adapted);
  disposeParams(adapted, params);
  const maps = gridSide(vision) ** 2 * vision.width * 4;
  return {
    secondsPerPair,
    hours: secondsPerPair * (TRAINED * steps * scale.batchSize + trained.length * evaluated +
      (isDense ? 3 * DENSE_IMAGES : 0)) /
      3600,
    diskBytes: (pairs + evaluated) * vision.imageSize ** 2 + 2 * 3 * 4 * trainable + trained.length * 4 * trainable +
      (isDense ? DENSE_IMAGES * maps : 0),
    memoryBytes: 4 * countParams(params) + scale.microBatch * sampleBytes(encoders),
  };
}

/** Seconds to encode an image and a text, the second time: programs are compiled in the first. */
async function pairSeconds(context: ReproduceContext): Promise<number> {
  const { encoders, scale } = context;
  const { params } = await context.generalist();
  const model = aceLoraModel({ encoders, learnScale: false });
  const { imageSize } = encoders.vision;
  const count = Math.min(4, scale.microBatch);
  const pixels: tf.Tensor4D = tf.zeros([count, imageSize, imageSize, 3]);
  const ids: tf.Tensor2D = tf.ones([count, encoders.text.contextLength], "int32");
  let seconds = 0;
  for (let i = 0; i < 2; i++) {
    const began = performance.now();
    const features = [model.imageFeatures(params, pixels), model.textFeatures(params, ids)];
    for (const feature of features) await feature.data();
    tf.dispose(features);
    seconds = (performance.now() - began) / 1000 / count;
  }
  tf.dispose([pixels, ids]);
  return seconds;
}
