/** Which samples make which batch. @module */
import { deriveSeed, mulberry32, shuffled } from "../tensor/random.ts";

/** Options of {@linkcode epochBatches}. */
export interface EpochBatchesOptions {
  /** Samples a batch. */
  batchSize: number;
  /** A new order every epoch; without it batches follow the file's order, as in the released single-GPU script. @default {true} */
  shuffle?: boolean;
  /** Leave out a last, smaller batch. @default {false} */
  dropLast?: boolean;
  /** Seed of the orders. @default {1} */
  seed?: number;
}

/**
 * The sample indices of each batch of one epoch; a function of size, epoch and seed alone, so that a run can be resumed.
 *
 * @throws {RangeError} If the batch size is not a positive integer, or there is no sample.
 */
export function epochBatches(size: number, epoch: number, options: EpochBatchesOptions): number[][] {
  const { batchSize, shuffle = true, dropLast = false, seed = 1 } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new RangeError(
      `Cannot make batches as the batch size must be a positive integer: current value is ${batchSize}`,
    );
  }
  if (size < 1) throw new RangeError("Cannot make batches as there must be at least one sample: current value is 0");
  const indices = Array.from({ length: size }, (_, i) => i);
  const order = shuffle ? shuffled(indices, mulberry32(deriveSeed(seed, `epoch ${epoch}`))) : indices;
  const batches: number[][] = [];
  for (let i = 0; i < size; i += batchSize) batches.push(order.slice(i, i + batchSize));
  if (dropLast && batches.length > 1 && batches.at(-1)!.length < batchSize) batches.pop();
  return batches;
}
