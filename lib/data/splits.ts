/** Splits of a data set: scikit-learn's and pandas' as published, and by patient for any other. @module */
import { mulberry32, shuffled } from "../tensor/random.ts";
import { byCodePoint } from "../text/code_point_order.ts";
import { choiceWithoutReplacement, permutation, randomState } from "./numpy_random.ts";
import type { Case } from "./types.ts";

/** Options of {@linkcode trainTestSplit}; a number below 1 is a fraction, a whole number a count, as in scikit-learn. */
export interface TrainTestSplitOptions {
  /** Size of the test part. @default the rest of `trainSize`, or 0.25 */
  testSize?: number;
  /** Size of the training part. @default the rest */
  trainSize?: number;
  /** `random_state`. @default {0} */
  seed?: number;
}

/** Places of the rows of the two parts, in the order scikit-learn gives them. */
export interface TrainTestSplit {
  /** Training rows. */
  train: number[];
  /** Test rows. */
  test: number[];
}

function partSize(name: string, size: number, n: number, round: (x: number) => number): number {
  const count = Number.isInteger(size) && size !== 0;
  const valid = count ? size > 0 && size < n : size > 0 && size < 1;
  if (!valid) {
    throw new RangeError(
      `Cannot split ${n} rows as ${name} must be a fraction between 0 and 1 or a count from 1 to ${n - 1}: ` +
        `current value is ${size}`,
    );
  }
  return count ? size : round(size * n);
}

/**
 * `sklearn.model_selection.train_test_split(range(n), test_size=..., random_state=seed)`: a permutation whose first
 * `ceil(testSize * n)` rows are the test part, and the next `floor(trainSize * n)` (or all the rest) the training part.
 *
 * Source: scikit-learn `ShuffleSplit`, `_validate_shuffle_split`.
 *
 * @throws {RangeError} If a size is out of range, both together are more than `n`, or the training part is empty.
 */
export function trainTestSplit(n: number, options: TrainTestSplitOptions = {}): TrainTestSplit {
  const { testSize, trainSize, seed = 0 } = options;
  let train = trainSize === undefined ? undefined : partSize("trainSize", trainSize, n, Math.floor);
  const test = testSize === undefined && train !== undefined
    ? n - train
    : partSize("testSize", testSize ?? 0.25, n, Math.ceil);
  train ??= n - test;
  if (train + test > n || train <= 0) {
    throw new RangeError(
      `Cannot split ${n} rows as both parts must fit and hold a row: current sizes are ${train} and ${test}`,
    );
  }
  const order = permutation(randomState(seed), n);
  return { train: order.slice(test, test + train), test: order.slice(0, test) };
}

/**
 * `pandas.DataFrame.sample(n=size, random_state=seed)` of a frame of `n` rows: the rows' places, in the order given.
 *
 * @throws {RangeError} If `size` is more than `n`.
 */
export function sampleRows(n: number, options: { size: number; seed: number }): number[] {
  return choiceWithoutReplacement(randomState(options.seed), { n, size: options.size });
}

/** Options of {@linkcode splitByPatient}. */
export interface PatientSplitOptions {
  /** Part of the patients that is held out, between 0 and 1. @default {0.2} */
  fraction?: number;
  /** Seed of the draw. @default {0} */
  seed?: number;
}

/**
 * Splits cases so that no patient is in both parts. The patients are sorted by id and shuffled by `seed`; the first
 * `round(fraction * patients)`, at least one, are held out. A case without a patient counts as a patient of its own.
 *
 * @returns Both parts, each in the order of `cases`.
 * @throws {RangeError} If `fraction` is not between 0 and 1, or there are fewer than two patients.
 */
export function splitByPatient(
  cases: readonly Case[],
  options: PatientSplitOptions = {},
): { train: Case[]; test: Case[] } {
  const { fraction = 0.2, seed = 0 } = options;
  if (!(fraction > 0 && fraction < 1)) {
    throw new RangeError(`Cannot split by patient as fraction must be between 0 and 1: current value is ${fraction}`);
  }
  const key = (item: Case): string => item.patientId === undefined ? `case ${item.id}` : `patient ${item.patientId}`;
  const patients = [...new Set(cases.map(key))].sort(byCodePoint);
  if (patients.length < 2) {
    throw new RangeError(`Cannot split by patient as there must be two patients: there are ${patients.length}`);
  }
  const count = Math.min(patients.length - 1, Math.max(1, Math.round(fraction * patients.length)));
  const held = new Set(shuffled(patients, mulberry32(seed)).slice(0, count));
  return { train: cases.filter((item) => !held.has(key(item))), test: cases.filter((item) => held.has(key(item))) };
}
