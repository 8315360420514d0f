/** Sizes and settings of a reproduction at each scale. @module */
import type { ScaleName } from "./types.ts";

/** Sizes and settings of a reproduction. */
export interface Scale {
  /** Its name. */
  name: ScaleName;
  /** Synthetic image-report pairs to adapt to; null takes all of MIMIC-CXR's training split. */
  pairs: number | null;
  /** Passes over them. */
  epochs: number;
  /** Pairs a batch. */
  batchSize: number;
  /** Pairs encoded at a time. */
  microBatch: number;
  /** Highest learning rate. */
  learningRate: number;
  /** Epochs of linear warm-up. */
  warmupEpochs: number;
  /** Held-out images of each of the five classes; the synthetic binary sets have five times as many. */
  perClass: number;
  /** Bootstrap resamples. */
  resamples: number;
  /** Seeds when none are given. */
  seeds: readonly number[];
  /** Seed of the synthetic sets; all runs see the same pairs and the same held-out cases. */
  dataSeed: number;
}

/**
 * The scales.
 *
 * `demo` is sized for two quiet cores and 40 minutes for all tables. A step of 64 pairs takes MINI 0.5 to 0.6 s of one core
 * (measured at 21 s of CPU time for 24 steps, four evaluations and the drawing). 31 trained rows times 3 seeds, 48 steps each
 * and 4 s of evaluation: 93 x (48 x 0.55 + 4) s = 47 min of one core, 24 min of two with a run on each; the untrained rows and
 * the drawing of the sets take under a minute.
 *
 * `paper` has the settings of method.md sections 5 and 6: 40 epochs, one of warm-up, batch 64, 1e-3, float32.
 */
export const SCALES: Readonly<Record<ScaleName, Scale>> = {
  smoke: {
    name: "smoke",
    pairs: 16,
    epochs: 1,
    batchSize: 8,
    microBatch: 8,
    learningRate: 3e-3,
    warmupEpochs: 0.5,
    perClass: 2,
    resamples: 20,
    seeds: [1],
    dataSeed: 1,
  },
  demo: {
    name: "demo",
    pairs: 1536,
    epochs: 2,
    batchSize: 64,
    microBatch: 64,
    learningRate: 3e-3,
    warmupEpochs: 0.5,
    perClass: 60,
    resamples: 1000,
    seeds: [1, 2, 3],
    dataSeed: 1,
  },
  paper: {
    name: "paper",
    pairs: null,
    epochs: 40,
    batchSize: 64,
    microBatch: 16,
    learningRate: 1e-3,
    warmupEpochs: 1,
    perClass: 200,
    resamples: 1000,
    seeds: [1, 2, 3],
    dataSeed: 1,
  },
};
