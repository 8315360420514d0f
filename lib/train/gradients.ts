/** The loss of a batch and its gradient for every trainable leaf, whole or in micro-batches. @module */
import * as tf from "@tensorflow/tfjs";
import type { ContrastiveModel, FeatureOptions } from "../clip/contrastive.ts";
import type { Communicator } from "../distributed/communicator.ts";
import type { Gradients } from "../tensor/gradients.ts";
import { CALL, checkRecord, checkValue, COUNT, LIST, needed, type Rules } from "../platform/options.ts";
import { namedTensors } from "../tensor/params.ts";
import { tensorOfRank } from "../tensor/shape.ts";
import type { Tensor, Tensor1D } from "../tensor/types.ts";
import type { Batch } from "./batch.ts";
import { MODEL } from "./options.ts";
import { type FlatLayout, flatLayout, packNamed, unpackNamed } from "./flat.ts";
import {
  addTo,
  type Chunk,
  chunkGradients,
  chunksOf,
  type Features,
  featuresOf,
  FEW_CHUNKS,
  lossGradients,
  type PackedGradients,
  type Step,
} from "./micro_batch.ts";
import { type GradientSum, sharedGradients } from "./shared_gradients.ts";

/** Options of {@linkcode contrastiveGradients}. */
export interface ContrastiveGradientsOptions {
  /** Seed of the dropout masks; without it dropout is off. */
  seed?: number;
  /** Samples encoded at a time; the loss is over the whole batch all the same. @default {the whole batch} */
  microBatch?: number;
  /**
   * Keep only the input of each transformer block (but the last) and compute its inside again for the gradient: less
   * memory for one more forward pass, the same numbers. @default {false}
   */
  recompute?: boolean;
  /**
   * Processes that share the micro-batches among them. Gradients are summed over micro-batches in one order, whatever their number,
   * so that any number of ranks comes to the same bits. @default {this process alone}
   */
  ranks?: Communicator;
  /** How `ranks` sum gradients, see {@linkcode GradientSum}. @default {"ordered"} */
  gradientSum?: GradientSum;
}

/** What a batch must be. */
const BATCH_RULES: Rules<Batch> = { size: needed(COUNT), read: needed(CALL), pairMask: tensorOfRank(2) };

/**
 * Loss and gradients of one batch. With `microBatch` below the batch size, features are first computed without a tape, the
 * loss's gradient for the features follows, and each micro-batch is read and encoded again to carry it back: of the batch
 * only features `[B, E]`, the mask and products of features `[B, B]` are held whole, and without dropout the numbers are
 * those of the whole batch. Where the micro-batches are few, the last is encoded once: the loss stands on its tape.
 *
 * Source: GradCache, Gao et al. 2021, which encodes the last micro-batch twice as well.
 *
 * @returns New tensors. The caller disposes them. Rejects as `batch.read` does, and leaves nothing behind then.
 */
export async function contrastiveGradients<T>(
  model: ContrastiveModel<T>,
  params: T,
  batch: Batch,
  options: ContrastiveGradientsOptions = {},
): Promise<Gradients> {
  checkValue("take gradients", "the model", model, MODEL);
  const layout = flatLayout(namedTensors(params, model.isTrainable));
  const { value, gradients } = await packedGradients(model, params, batch, { ...options, layout });
  try {
    return { value, gradients: unpackNamed(layout, gradients) };
  } finally {
    tf.dispose(gradients);
  }
}

/**
 * {@linkcode contrastiveGradients} in a few flat tensors, as the optimiser takes them: packed once a step, or once a
 * micro-batch, and summed so.
 *
 * @param options `layout`: which leaf stands where; all trainable ones.
 */
export async function packedGradients<T>(
  model: ContrastiveModel<T>,
  params: T,
  batch: Batch,
  options: ContrastiveGradientsOptions & { layout: FlatLayout },
): Promise<PackedGradients> {
  checkValue("take gradients", "the model", model, MODEL);
  checkRecord("take gradients", "the batch", batch, BATCH_RULES);
  checkRecord("take gradients", "options", options, { layout: needed(LIST) });
  const { layout } = options;
  const leaves = namedTensors(params, model.isTrainable);
  if (leaves.size === 0) throw new RangeError("Cannot take gradients as the model must train a tensor: it trains none");
  const featureOptions: FeatureOptions = options.recompute ? { recompute: new Set(leaves.values()) } : {};
  const step: Step<T> = { model, params, batch, leaves, layout, featureOptions };
  const chunks = chunksOf(batch.size, options);
  const { ranks, gradientSum } = options;
  if (ranks) return await sharedGradients(step, chunks, ranks, gradientSum);
  const last = chunks.length <= FEW_CHUNKS ? chunks.pop() : undefined;
  if (last && chunks.length === 0) {
    const { value, gradients } = await lossGradients(step, last);
    const packed = packNamed(layout, gradients);
    tf.dispose([...gradients.values()]);
    return { value, gradients: packed };
  }
  const top = await lossGradients(step, last, await featuresOf(step, chunks));
  try {
    return { value: top.value, gradients: await carriedBack(step, chunks, top) };
  } catch (error) {
    top.value.dispose();
    throw error;
  } finally {
    tf.dispose([top.earlier!.image, top.earlier!.text, ...top.gradients.values()]);
  }
}

/** The loss's gradients for the leaves, and those through the chunks it does not reach, carried back one by one. */
async function carriedBack<T>(
  step: Step<T>,
  chunks: readonly Chunk[],
  top: { gradients: Map<string, Tensor>; earlier?: Features },
): Promise<Tensor1D[]> {
  let sums = packNamed(step.layout, top.gradients);
  try {
    for (const chunk of chunks) sums = addTo(sums, await chunkGradients(step, chunk, top.earlier!));
    return sums;
  } catch (error) {
    tf.dispose(sums);
    throw error;
  }
}
