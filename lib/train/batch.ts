/** A batch whose samples are read when it is their turn. @module */
import * as tf from "@tensorflow/tfjs";
import { checkRecord, needed } from "../platform/options.ts";
import { tensorOfRank } from "../tensor/shape.ts";
import type { Tensor2D, Tensor4D } from "../tensor/types.ts";

/** Some samples as tensors. */
export interface Samples {
  /** Normalised images, shape `[n, S, S, 3]`. */
  pixels: Tensor4D;
  /** Token ids, shape `[n, N]` int32. */
  ids: Tensor2D;
}

/** A batch of B samples. */
export interface Batch {
  /** B. */
  size: number;
  /**
   * New tensors of the `count` samples from `start`; the caller disposes them. Asked once for the whole batch, or once or
   * twice for each micro-batch, and must give the same numbers both times.
   */
  read(start: number, count: number): Promise<Samples>;
  /** Pairs that take part, `[B, B]`; borrowed. @default {all: plain InfoNCE} */
  pairMask?: Tensor2D;
}

/** What samples must be. */
const SAMPLE_RULES = {
  pixels: needed(tensorOfRank(4)),
  ids: needed(tensorOfRank(2)),
  pairMask: tensorOfRank(2),
};

/**
 * A batch of tensors that are there already: reading takes rows of them.
 *
 * @param samples Pixels `[B, S, S, 3]` and ids `[B, N]`, and a mask `[B, B]` where there is one; borrowed.
 * @throws {TypeError} If they are none, or not as many.
 */
export function batchOf(samples: Samples & Pick<Batch, "pairMask">): Batch {
  checkRecord("make a batch", "its samples", samples, SAMPLE_RULES);
  const { pixels, ids, pairMask } = samples;
  if (pixels.shape[0] !== ids.shape[0]) {
    throw new TypeError(
      `Cannot make a batch as there must be a text for each image: there are ${pixels.shape[0]} images and ${
        ids.shape[0]
      } texts`,
    );
  }
  return {
    size: pixels.shape[0],
    read: (start, count) =>
      Promise.resolve({
        pixels: tf.slice(pixels, [start, 0, 0, 0], [count, -1, -1, -1]),
        ids: tf.slice(ids, [start, 0], [count, -1]),
      }),
    ...(pairMask ? { pairMask } : {}),
  };
}

/**
 * A batch that counts the time its images take, and whose reading the signal ends. Before a micro-batch others have their turn: where
 * every await is already settled, no signal would be delivered, and V8's own tasks, which collect garbage, would wait for the
 * batch's end.
 */
export function watchedBatch(batch: Batch, signal: AbortSignal | undefined): Batch & { waited: () => number } {
  let waited = 0;
  return {
    ...batch,
    waited: () => waited,
    async read(start, count) {
      if (count < batch.size) await new Promise((resolve) => setTimeout(resolve, 0));
      signal?.throwIfAborted();
      const began = performance.now();
      const samples = await batch.read(start, count);
      waited += performance.now() - began;
      return samples;
    },
  };
}
