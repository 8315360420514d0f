/** Few labels: which cases of a set a method may learn from. @module */
import { pythonRandom, pythonSample } from "../../data/python_random.ts";
import { checkOptions, INTEGER, needed, type Rules } from "../../platform/options.ts";

/** Places of the cases drawn, in the order drawn. */
export interface Shots {
  /** Of the training part. */
  train: number[];
  /** Of the validation part. */
  validation: number[];
}

/** Most cases a class that choose settings, however many are trained on. */
const VALIDATION_SHOTS = 4;

/** What they must be. */
const SHOTS_RULES: Rules<{ shots: number; seed: number }> = {
  shots: needed({
    must: "a positive integer or Infinity",
    type: "number",
    allows: (shots) => shots === Infinity || (typeof shots === "number" && Number.isInteger(shots) && shots > 0),
  }),
  seed: needed(INTEGER),
};

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
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function drawShots(
  train: readonly number[],
  validation: readonly number[],
  options: { shots: number; seed: number },
): Shots {
  checkOptions("draw shots", options, SHOTS_RULES);
  const { shots, seed } = options;
  if (shots === Infinity) return { train: train.map((_, i) => i), validation: validation.map((_, i) => i) };
  const state = pythonRandom(seed);
  const drawn = (targets: readonly number[], count: number): number[] =>
    [...Map.groupBy(targets.keys(), (i) => targets[i]!).values()]
      .flatMap((rows) => rows.length < count ? rows : pythonSample(state, rows, count));
  return { train: drawn(train, shots), validation: drawn(validation, Math.min(shots, VALIDATION_SHOTS)) };
}
