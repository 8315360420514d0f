/** Percentile bootstrap over cases or whole patients: an interval of one statistic, and the paired difference of two. @module */
import { mulberry32 } from "../../tensor/random.ts";
import { checkOptions, COUNT, INTEGER, type Rules, SHARE } from "../../platform/options.ts";

/** A statistic of the cases at `indices` (repeats count); NaN where it is undefined. */
export type Statistic = (indices: Uint32Array) => number;

/** Options of {@linkcode bootstrapInterval} and {@linkcode pairedBootstrap}. */
export interface BootstrapOptions {
  /**
   * Number of resamples.
   * @default {1000}
   */
  resamples?: number;
  /**
   * Seed of the draws: the same seed draws the same cases.
   * @default {1}
   */
  seed?: number;
  /**
   * Coverage of the interval, in (0, 1).
   * @default {0.95}
   */
  level?: number;
  /**
   * The patient (or site) of each case: whole patients are then drawn, with all their cases, as the cases of one patient are not
   * independent.
   * @default {each case its own}
   */
  groups?: ArrayLike<string | number>;
}

/** What they must be. */
export const BOOTSTRAP_RULES: Rules<BootstrapOptions> = {
  resamples: COUNT,
  seed: INTEGER,
  level: SHARE,
  groups: { must: "a list", type: "object" },
};

/** What a bootstrap found. */
export interface BootstrapInterval {
  /** The statistic of the cases themselves. */
  value: number;
  /** Lower end of the interval. */
  low: number;
  /** Upper end of the interval. */
  high: number;
  /** Resamples the interval rests on. */
  resamples: number;
  /** Resamples on which the statistic was undefined. */
  skipped: number;
}

/** What a paired bootstrap found. */
export interface PairedBootstrap {
  /** Statistic of A minus statistic of B, on the cases themselves. */
  difference: number;
  /** Lower end of the difference's interval. */
  low: number;
  /** Upper end of the difference's interval. */
  high: number;
  /** Two-sided: twice the smaller share of resamples on either side of zero (with one added to each), at most 1. */
  p: number;
  /** Resamples the interval rests on. */
  resamples: number;
  /** Resamples on which a statistic was undefined. */
  skipped: number;
}

/**
 * Percentile interval of `statistic` over resamples of `n` cases with replacement (quantiles interpolated linearly, as
 * NumPy's default).
 *
 * @param n Number of cases.
 * @param statistic Value for drawn indices; NaN counts as undefined and is skipped. Equal seeds draw equal cases.
 * @param options See {@linkcode BootstrapOptions}.
 * @returns Value, interval and counts.
 * @throws {TypeError} If there is not one group a case.
 * @throws {RangeError} If `n` or an option is out of range, or the statistic is undefined on the cases themselves or on
 * every resample.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function bootstrapInterval(n: number, statistic: Statistic, options: BootstrapOptions = {}): BootstrapInterval {
  checkOptions("bootstrap", options, BOOTSTRAP_RULES);
  const { level = 0.95 } = options;
  const value = onAll(n, statistic);
  const { values, skipped } = resample(n, statistic, options);
  const [low, high] = quantiles(values, level);
  return { value, low, high, resamples: values.length, skipped };
}

/**
 * Interval of the difference of two statistics over the same resamples, and whether it may be zero.
 *
 * @param n Number of cases, the same ones for both.
 * @param statisticA Statistic of the first method.
 * @param statisticB Statistic of the second method.
 * @param options See {@linkcode BootstrapOptions}.
 * @returns Difference (A - B), interval, p and counts.
 * @throws {RangeError} As {@linkcode bootstrapInterval}.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function pairedBootstrap(
  n: number,
  statisticA: Statistic,
  statisticB: Statistic,
  options: BootstrapOptions = {},
): PairedBootstrap {
  checkOptions("bootstrap", options, BOOTSTRAP_RULES);
  const { level = 0.95 } = options;
  const subtract: Statistic = (indices) => statisticA(indices) - statisticB(indices);
  const difference = onAll(n, subtract);
  const { values, skipped } = resample(n, subtract, options);
  const [low, high] = quantiles(values, level);
  const notAbove = values.filter((v) => v <= 0).length;
  const notBelow = values.filter((v) => v >= 0).length;
  const p = Math.min(1, 2 * (Math.min(notAbove, notBelow) + 1) / (values.length + 1));
  return { difference, low, high, p, resamples: values.length, skipped };
}

/**
 * Intervals of several statistics over the same resamples, as {@linkcode bootstrapInterval} gives each.
 *
 * @param n Number of cases.
 * @param statistics Values for drawn indices, the same number each time; NaN where undefined.
 * @param options See {@linkcode BootstrapOptions}.
 * @returns One a statistic; null where it is undefined on the cases themselves or on every resample.
 * @throws {TypeError} If there is not one group a case.
 * @throws {RangeError} If `n` or an option is out of range.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function bootstrapIntervals(
  n: number,
  statistics: (indices: Uint32Array) => readonly number[],
  options: BootstrapOptions = {},
): (BootstrapInterval | null)[] {
  checkOptions("bootstrap", options, BOOTSTRAP_RULES);
  const { draw, resamples, level } = drawing(n, options);
  const own = statistics(allOf(n));
  const values = own.map(() => new Float64Array(resamples));
  const kept = own.map(() => 0);
  for (let r = 0; r < resamples; r++) {
    for (const [i, value] of statistics(draw()).entries()) if (!Number.isNaN(value)) values[i]![kept[i]!++] = value;
  }
  return own.map((value, i) => {
    if (Number.isNaN(value) || kept[i] === 0) return null;
    const [low, high] = quantiles(values[i]!.slice(0, kept[i]).sort(), level);
    return { value, low, high, resamples: kept[i]!, skipped: resamples - kept[i]! };
  });
}

function allOf(n: number): Uint32Array {
  if (!Number.isInteger(n) || n < 1) {
    throw new RangeError(`Cannot bootstrap as the number of cases must be a positive integer: current value is ${n}`);
  }
  return Uint32Array.from({ length: n }, (_, i) => i);
}

function onAll(n: number, statistic: Statistic): number {
  const value = statistic(allOf(n));
  if (Number.isNaN(value)) {
    throw new RangeError("Cannot bootstrap as the statistic must be defined on all cases: current value is NaN");
  }
  return value;
}

/** Draws of cases or groups by seed, and the options with their defaults. */
function drawing(
  n: number,
  options: BootstrapOptions,
): { draw: () => Uint32Array; resamples: number; level: number } {
  const { resamples = 1000, seed = 1, level = 0.95 } = options;
  const rng = mulberry32(seed);
  return { draw: options.groups ? groupDraws(n, options.groups, rng) : caseDraws(n, rng), resamples, level };
}

function resample(
  n: number,
  statistic: Statistic,
  options: BootstrapOptions,
): { values: Float64Array; skipped: number } {
  const { draw, resamples } = drawing(n, options);
  const values = new Float64Array(resamples);
  let kept = 0;
  for (let r = 0; r < resamples; r++) {
    const value = statistic(draw());
    if (!Number.isNaN(value)) values[kept++] = value;
  }
  if (kept === 0) {
    throw new RangeError(
      `Cannot bootstrap as the statistic must be defined on at least one resample: current number is 0 of ${resamples}`,
    );
  }
  return { values: values.slice(0, kept).sort(), skipped: resamples - kept };
}

/** Draws of `n` cases, one after the other into the same array. */
function caseDraws(n: number, rng: () => number): () => Uint32Array {
  const indices = new Uint32Array(n);
  return () => {
    for (let i = 0; i < n; i++) indices[i] = Math.floor(rng() * n);
    return indices;
  };
}

/** Draws of as many groups as there are, in the order in which they first occur, each with all its cases. */
function groupDraws(n: number, groups: ArrayLike<string | number>, rng: () => number): () => Uint32Array {
  if (groups.length !== n) {
    throw new TypeError(
      `Cannot bootstrap as each of the ${n} cases must have its group: current number of groups is ${groups.length}`,
    );
  }
  const members = new Map<string | number, number[]>();
  for (let i = 0; i < n; i++) {
    const cases = members.get(groups[i]!);
    if (cases) cases.push(i);
    else members.set(groups[i]!, [i]);
  }
  const whole = [...members.values()];
  return () => Uint32Array.from(whole.flatMap(() => whole[Math.floor(rng() * whole.length)]!));
}

/** Both ends of the central `level` of sorted values. */
function quantiles(sorted: Float64Array, level: number): [number, number] {
  const quantile = (q: number): number => {
    const position = q * (sorted.length - 1), below = Math.floor(position);
    const low = sorted[below]!, high = sorted[Math.min(below + 1, sorted.length - 1)]!;
    return low + (high - low) * (position - below);
  };
  return [quantile((1 - level) / 2), quantile((1 + level) / 2)];
}
