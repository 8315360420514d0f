/** Which samples make which batch. @module */
import { checkOptions, checkValue, COUNT, FLAG, INTEGER, needed, type Rules, WHOLE } from "../platform/options.ts";
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

/** What they must be. */
const BATCH_RULES: Rules<EpochBatchesOptions> = {
  batchSize: needed(COUNT),
  shuffle: FLAG,
  dropLast: FLAG,
  seed: INTEGER,
};

/**
 * The sample indices of each batch of one epoch; a function of size, epoch and seed alone, so that a run can be resumed.
 *
 * @throws {TypeError | RangeError} If there is no sample, or an option is unknown or of another kind.
 */
export function epochBatches(size: number, epoch: number, options: EpochBatchesOptions): number[][] {
  checkOptions("make batches", options, BATCH_RULES);
  const { batchSize, shuffle = true, dropLast = false, seed = 1 } = options;
  checkValue("make batches", "the number of samples", size, COUNT);
  checkValue("make batches", "the epoch", epoch, WHOLE);
  const indices = Array.from({ length: size }, (_, i) => i);
  const order = shuffle ? shuffled(indices, mulberry32(deriveSeed(seed, `epoch ${epoch}`))) : indices;
  const batches: number[][] = [];
  for (let i = 0; i < size; i += batchSize) batches.push(order.slice(i, i + batchSize));
  if (dropLast && batches.length > 1 && batches.at(-1)!.length < batchSize) batches.pop();
  return batches;
}
