/** Whether probabilities mean what they say: reliability, calibration error, and a temperature that mends them. @module */
import { checkScores, checkTargets } from "./_check.ts";
import { checkOptions, COUNT, type Rules } from "../../platform/options.ts";

/** One bar of a reliability diagram. */
export interface ReliabilityBin {
  /** Its range, `(low, high]`; the first one holds 0, too. */
  low: number;
  /** Upper end. */
  high: number;
  /** Cases in it. */
  count: number;
  /** Mean probability of these; null without any. */
  confidence: number | null;
  /** Share of these for which the event happened; null without any. */
  frequency: number | null;
}

/** Options of {@linkcode reliabilityBins}. */
export interface ReliabilityOptions {
  /**
   * Number of bins of equal width.
   * @default {10}
   */
  bins?: number;
}

/** What they must be. */
const RELIABILITY_RULES: Rules<ReliabilityOptions> = {
  bins: COUNT,
};

/**
 * Cases by their probability, in bins of equal width.
 *
 * @param probabilities `n` probabilities that the event happens.
 * @param happened `n` zeros and ones.
 * @throws {TypeError} If the lengths differ.
 * @throws {RangeError} If a probability is not in [0, 1], an outcome is not 0 or 1, or there is no case.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function reliabilityBins(
  probabilities: ArrayLike<number>,
  happened: ArrayLike<number>,
  options: ReliabilityOptions = {},
): ReliabilityBin[] {
  checkOptions("bin probabilities", options, RELIABILITY_RULES);
  const { bins = 10 } = options;
  checkProbabilities(probabilities, happened);
  const sums = Array.from({ length: bins }, () => ({ count: 0, probability: 0, happened: 0 }));
  for (let i = 0; i < probabilities.length; i++) {
    const sum = sums[Math.max(0, Math.ceil(probabilities[i]! * bins) - 1)]!;
    sum.count++;
    sum.probability += probabilities[i]!;
    sum.happened += happened[i]!;
  }
  return sums.map(({ count, probability, happened }, bin) => ({
    low: bin / bins,
    high: (bin + 1) / bins,
    count,
    confidence: count === 0 ? null : probability / count,
    frequency: count === 0 ? null : happened / count,
  }));
}

/**
 * Expected calibration error: `Σ (n_b / n) |frequency_b - confidence_b|`.
 *
 * Source: Naeini et al. 2015; Guo et al. 2017, Eq. (3).
 *
 * @param bins As {@linkcode reliabilityBins} gives them.
 * @returns In [0, 1].
 */
export function expectedCalibrationError(bins: readonly ReliabilityBin[]): number {
  const n = bins.reduce((sum, { count }) => sum + count, 0);
  return bins.reduce(
    (sum, { count, confidence, frequency }) => count === 0 ? sum : sum + count / n * Math.abs(frequency! - confidence!),
    0,
  );
}

/**
 * Brier score: mean squared difference of probability and outcome.
 *
 * @param probabilities `n` probabilities that the event happens.
 * @param happened `n` zeros and ones.
 * @throws {TypeError} If the lengths differ.
 * @throws {RangeError} If a probability is not in [0, 1], an outcome is not 0 or 1, or there is no case.
 */
export function brierScore(probabilities: ArrayLike<number>, happened: ArrayLike<number>): number {
  checkProbabilities(probabilities, happened);
  let sum = 0;
  for (let i = 0; i < probabilities.length; i++) sum += (probabilities[i]! - happened[i]!) ** 2;
  return sum / probabilities.length;
}

function checkProbabilities(probabilities: ArrayLike<number>, happened: ArrayLike<number>): void {
  if (checkScores(probabilities, happened.length, "calibration") !== 1) {
    throw new TypeError(
      `Cannot compute calibration as probabilities and outcomes must have one length: current lengths are ${probabilities.length} and ${happened.length}`,
    );
  }
  checkTargets(happened, 2, "calibration");
  for (let i = 0; i < probabilities.length; i++) {
    if (probabilities[i]! < 0 || probabilities[i]! > 1) {
      throw new RangeError(
        `Cannot compute calibration as probabilities must be from 0 to 1: current value at row ${i} is ${
          probabilities[i]
        }`,
      );
    }
  }
}

/** The highest and lowest temperatures that {@linkcode fitTemperature} gives. */
export const TEMPERATURE_RANGE: readonly [number, number] = [1e-3, 1e3];

/**
 * The temperature T under which `softmax(logits / T)` gives the targets the highest likelihood: fitted on one part, applied
 * to another. The likelihood is convex in 1/T, whose slope's root is bracketed and halved.
 *
 * Source: Guo et al. 2017, section 4.2.
 *
 * @param logits Row-major `[n, c]`, `c >= 2`.
 * @param targets `n` class indices.
 * @returns T, within {@linkcode TEMPERATURE_RANGE}.
 * @throws {TypeError} If `logits` is not `[n, c]` with `c >= 2`.
 * @throws {RangeError} If a logit is NaN, or a target is no class.
 */
export function fitTemperature(logits: ArrayLike<number>, targets: ArrayLike<number>): number {
  const n = targets.length;
  const columns = checkScores(logits, n, "a temperature");
  if (columns < 2) throw new TypeError("Cannot fit a temperature as there must be at least two columns: there is one");
  checkTargets(targets, columns, "a temperature");
  let [low, high] = [1 / TEMPERATURE_RANGE[1], 1 / TEMPERATURE_RANGE[0]];
  if (slope(logits, targets, columns, low) >= 0) return TEMPERATURE_RANGE[1];
  if (slope(logits, targets, columns, high) <= 0) return TEMPERATURE_RANGE[0];
  while (high - low > 4 * Number.EPSILON * low) {
    const middle = (low + high) / 2;
    if (slope(logits, targets, columns, middle) < 0) low = middle;
    else high = middle;
  }
  return 2 / (low + high);
}

/** Slope of the mean negative log-likelihood in the inverse temperature b: `E[softmax(b z)] · z - z_target`. */
function slope(logits: ArrayLike<number>, targets: ArrayLike<number>, columns: number, inverse: number): number {
  let sum = 0;
  for (let row = 0; row < targets.length; row++) {
    const base = row * columns;
    let max = -Infinity;
    for (let c = 0; c < columns; c++) max = Math.max(max, logits[base + c]!);
    let weights = 0, mean = 0;
    for (let c = 0; c < columns; c++) {
      const weight = Math.exp(inverse * (logits[base + c]! - max));
      weights += weight;
      mean += weight * (logits[base + c]! - max);
    }
    sum += mean / weights - (logits[base + targets[row]!]! - max);
  }
  return sum / targets.length;
}
