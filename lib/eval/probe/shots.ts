/** Few labels: which cases of a set a method may learn from. @module */
import { pythonRandom, pythonSample } from "../../data/python_random.ts";

/** Places of the cases drawn, in the order drawn. */
export interface Shots {
  /** Of the training part. */
  train: number[];
  /** Of the validation part. */
  validation: number[];
}

/** Most cases a class that choose settings, however many are trained on. */
const VALIDATION_SHOTS = 4;

/**
 * Draws `shots` cases of each class to train on and at most four to choose settings by, as CoOp does: one generator, seeded anew,
 * the training part first, classes in the order in which they first occur. Of a class with fewer cases all are taken.
 *
 * Source: Zhou et al. 2022, CoOp; Dassl's `generate_fewshot_dataset`. The draws are Python's own, number for number.
 *
 * @param train Class index of each training case.
 * @param validation Class index of each validation case.
 * @param options `shots` of each class; Infinity takes both parts whole. `seed`: CoOp's are 1, 2 and 3.
 * @throws {RangeError} If `shots` is not a positive integer or Infinity.
 */
export function drawShots(
  train: readonly number[],
  validation: readonly number[],
  options: { shots: number; seed: number },
): Shots {
  const { shots, seed } = options;
  if (shots === Infinity) return { train: train.map((_, i) => i), validation: validation.map((_, i) => i) };
  if (!Number.isInteger(shots) || shots < 1) {
    throw new RangeError(`Cannot draw shots as their number must be a positive integer: current value is ${shots}`);
  }
  const state = pythonRandom(seed);
  const drawn = (targets: readonly number[], count: number): number[] =>
    [...Map.groupBy(targets.keys(), (i) => targets[i]!).values()]
      .flatMap((rows) => rows.length < count ? rows : pythonSample(state, rows, count));
  return { train: drawn(train, shots), validation: drawn(validation, Math.min(shots, VALIDATION_SHOTS)) };
}
