/** What a rehearsal does at a size, and what its figures say of the whole set. @module */

/** What is asked for. */
export interface RehearsalOptions {
  /** Which model. @default {"mini"} */
  size?: "mini" | "full";
  /** Films. @default {200} */
  images?: number;
  /** Pairs a batch. @default {64; full: 4} */
  pairsPerBatch?: number;
  /** Pairs encoded at a time. @default {the batch; full: 2} */
  microBatch?: number;
  /** Training steps. @default {12} */
  steps?: number;
  /** Workers that draw films, and that decode them. @default {the processors} */
  workers?: number;
  /** Films are this many times smaller on each side than real ones, for a trial. @default {1} */
  shrink?: number;
}

/** The whole of it. */
export interface RehearsalPlan extends Required<RehearsalOptions> {
  /** Films of each split; those of "rest" are cached and not trained on. */
  splits: { train: number; validate: number; test: number; rest: number };
  /** Passes over the training films. */
  epochs: number;
}

/** The released set has 2 % of its films to validate and to test on; a small one needs more of them to say anything. */
const HELD_OUT = 0.08;

/**
 * Steps and films of each split: whole epochs of as many films as the steps need, at most all that are not held out.
 *
 * @throws {RangeError} If the films are too few for a batch.
 */
export function planRehearsal(options: RehearsalOptions = {}): RehearsalPlan {
  const { size = "mini", images = 200, steps: asked = 12, workers = navigator.hardwareConcurrency || 1, shrink = 1 } =
    options;
  const { pairsPerBatch = size === "full" ? 4 : 64 } = options;
  const { microBatch = size === "full" ? Math.min(2, pairsPerBatch) : pairsPerBatch } = options;
  const held = Math.max(2, Math.round(HELD_OUT * images));
  const free = images - 2 * held;
  if (free < pairsPerBatch) {
    throw new RangeError(
      `Cannot rehearse as the films must fill a batch of ${pairsPerBatch} besides the ${
        2 * held
      } held out: there are ${images}`,
    );
  }
  const train = Math.min(free, asked * pairsPerBatch);
  const perEpoch = Math.ceil(train / pairsPerBatch);
  const epochs = Math.ceil(asked / perEpoch);
  return {
    ...{ size, images, pairsPerBatch, microBatch, workers, shrink, epochs, steps: epochs * perEpoch },
    splits: { train, validate: held, test: held, rest: free - train },
  };
}

/** Frontal films of MIMIC-CXR-JPG, and the paper's epochs and batch. */
const WHOLE = { films: 238_000, epochs: 40, batch: 64 } as const;

/** What is measured of a rehearsal and holds for any number of films. */
export interface Rates {
  /** Bytes of a film's file. */
  filmBytes: number;
  /** Bytes of the cache for a film. */
  cacheBytes: number;
  /** Films decoded into the cache a second, by all workers. */
  cached: number;
  /** Processor seconds that decoding one took; null where /proc does not tell. */
  processor: number | null;
  /** Films read from the cache a second, by one thread that does nothing else. */
  read: number;
  /** Pairs trained on a second. */
  trained: number;
}

/** The rates at the true size: bytes, hours and shares. */
export function projection(rates: Rates): Record<string, number | null> {
  const { filmBytes, cacheBytes, cached, processor, read, trained } = rates;
  const { films, epochs, batch } = WHOLE;
  return {
    ...WHOLE,
    "files, GB": films * filmBytes / 1e9,
    "cache, GB": films * cacheBytes / 1e9,
    "filling the cache, hours": films / cached / 3600,
    "the same, hours of one processor": processor === null ? null : films * processor / 3600,
    "training from the cache, hours": films * epochs / trained / 3600,
    "decoding again in each epoch instead, hours": films * epochs / cached / 3600,
    "reading a batch from the cache, ms": 1000 * batch / read,
    "the same as a share of a step of 0.3 s": batch / read / 0.3,
  };
}
