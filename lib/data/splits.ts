/** Splits of a data set: scikit-learn's and pandas' as published, by patient for any other, or as a column states. @module */
import { deriveSeed, mulberry32, shuffled } from "../tensor/random.ts";
import { byCodePoint } from "../text/code_point_order.ts";
import { CASE_RULES, hashIds } from "./dataset.ts";
import { choiceWithoutReplacement, permutation, randomState } from "./numpy_random.ts";
import type { Case } from "./types.ts";
import { entriesOf } from "../platform/known_keys.ts";
import {
  checkOptions,
  checkRecords,
  checkValue,
  COUNT,
  INTEGER,
  needed,
  NUMBER,
  oneOf,
  RECORD,
  type Rules,
} from "../platform/options.ts";

/** Options of {@linkcode trainTestSplit}; a number below 1 is a fraction, a whole number a count, as in scikit-learn. */
export interface TrainTestSplitOptions {
  /** Size of the test part. @default the rest of `trainSize`, or 0.25 */
  testSize?: number;
  /** Size of the training part. @default the rest */
  trainSize?: number;
  /** `random_state`. @default {0} */
  seed?: number;
}

/** What they must be. */
const SPLIT_RULES: Rules<TrainTestSplitOptions> = {
  testSize: NUMBER,
  trainSize: NUMBER,
  seed: INTEGER,
};

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
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function trainTestSplit(n: number, options: TrainTestSplitOptions = {}): TrainTestSplit {
  checkOptions("split", options, SPLIT_RULES);
  checkValue("split", "the number of rows", n, COUNT);
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
export interface PatientSplitOptions<P extends string> {
  /** Share of each part that is held out, above 0 and below 1 in all; filled in this order, the rest is `train`. */
  shares: Readonly<Record<P, number>>;
  /**
   * What the shares are of: `patients`, rounded, at least one a part and one left to train; or `cases`, whole patients being
   * taken until a part has its share. @default {"patients"}
   */
  of?: "patients" | "cases";
  /** Seed of the draw. @default {0} */
  seed?: number;
}

/** What they must be. */
const PATIENT_SPLIT_RULES: Rules<PatientSplitOptions<string>> = {
  shares: needed(RECORD),
  of: oneOf(["patients", "cases"]),
  seed: INTEGER,
};

/**
 * Splits cases so that no patient is in two parts. A case without a patient counts as a patient of its own.
 *
 * Shares of patients are drawn from the patients sorted by id, so that the order of the cases does not matter, and the parts keep
 * it; shares of cases are drawn from the patients as they come, and the parts hold them as drawn. Adapters were trained on the
 * one, dense heads on the other: neither draw may change, or old files would meet their training cases in a test part.
 *
 * @throws {RangeError} If the shares are out of range, or there are fewer patients than parts.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function splitByPatient<P extends string, C extends Pick<Case, "id" | "patientId"> = Case>(
  cases: readonly C[],
  options: PatientSplitOptions<P>,
): Record<P | "train", C[]> {
  checkOptions("split by patient", options, PATIENT_SPLIT_RULES);
  checkRecords("split by patient", "cases", cases, CASE_RULES);
  const { of = "patients", seed = 0 } = options;
  const shares = entriesOf(options.shares);
  const sum = shares.reduce((total, [, share]) => total + share, 0);
  if (shares.some(([, share]) => !(share > 0)) || sum >= 1) {
    throw new RangeError(
      `Cannot split by patient as the shares must be between 0 and 1 in all: current values are ${
        shares.map(([name, share]) => `${name} ${share}`).join(", ")
      }`,
    );
  }
  const parts: Record<P | "train", C[]> = Object.fromEntries([...shares.map(([name]) => [name, []]), ["train", []]]);
  const patientOf = ({ id, patientId }: C): string => patientId === undefined ? `case ${id}` : `patient ${patientId}`;
  const byPatient = Map.groupBy(cases, patientOf);
  if (of === "cases") {
    for (const own of shuffled([...byPatient.values()], mulberry32(deriveSeed(seed, "split by patient")))) {
      const part = shares.find(([name, share]) => parts[name].length < share * cases.length);
      parts[part?.[0] ?? "train"].push(...own);
    }
    return parts;
  }
  if (byPatient.size <= shares.length) {
    throw new RangeError(
      `Cannot split by patient as there must be ${shares.length + 1} patients: there are ${byPatient.size}`,
    );
  }
  const drawn = shuffled([...byPatient.keys()].sort(byCodePoint), mulberry32(seed));
  const partOf = new Map<string, P>();
  for (const [i, [name, share]] of shares.entries()) {
    const room = drawn.length - (shares.length - i); // one for each part that follows
    const count = Math.min(room, Math.max(1, Math.round(share * byPatient.size)));
    for (const patient of drawn.splice(0, count)) partOf.set(patient, name);
  }
  for (const item of cases) parts[partOf.get(patientOf(item)) ?? "train"].push(item);
  return parts;
}

/** Cases in three parts. */
export interface ThreeParts {
  /** To train on. */
  train: Case[];
  /** To choose settings by, an epoch or a rate. */
  validation: Case[];
  /** To report on. */
  test: Case[];
}

/** Three parts by patient: 15 % to test and to validate each, the rest to train. */
export function drawnParts(cases: readonly Case[], seed: number): ThreeParts {
  return splitByPatient(cases, { shares: { test: 0.15, validation: 0.15 }, of: "cases", seed });
}

/** The words of a split column, and the part each means. */
export const SPLIT_WORDS: Readonly<Record<string, keyof ThreeParts>> = {
  train: "train",
  validation: "validation",
  valid: "validation",
  val: "validation",
  test: "test",
};

/**
 * The parts that are stated of each case.
 *
 * @throws {RangeError} If a patient is in two of them.
 */
export function statedParts(cases: readonly Case[], statedOf: (item: Case) => keyof ThreeParts): ThreeParts {
  const parts: ThreeParts = { train: [], validation: [], test: [] };
  const partOf = new Map<string, keyof ThreeParts>();
  for (const item of cases) {
    const part = statedOf(item);
    if (item.patientId !== undefined) {
      const other = partOf.get(item.patientId) ?? part;
      partOf.set(item.patientId, other);
      if (other !== part) {
        throw new RangeError(
          `Cannot split as a patient must be in one part: patient "${item.patientId}" is in ${other} and in ${part}`,
        );
      }
    }
    parts[part].push(item);
  }
  return parts;
}

/** Name, size and hash of a part. */
export async function partRecord(
  name: string,
  cases: readonly Case[],
): Promise<{ name: string; size: number; hash: string }> {
  return { name, size: cases.length, hash: await hashIds(cases.map(({ id }) => id)) };
}
