/** Figures with their intervals, several over one series of draws. @module */
import type { Estimate, Interval } from "../../display/evaluation.ts";
import { bootstrapIntervals, type BootstrapOptions } from "../metrics/bootstrap.ts";
import { delongInterval } from "../metrics/delong.ts";
import type { ClassColumn, DrawStatistic } from "./columns.ts";
import { mapTuple } from "../../platform/map_tuple.ts";

/** How intervals are drawn. */
export interface Drawing extends Pick<BootstrapOptions, "resamples" | "seed"> {
  /** Patient of each case. @default {not known} */
  patients?: readonly string[];
}

/** Each statistic of `n` cases with its intervals over cases and, where they are known, over patients. */
export function estimates<const S extends readonly DrawStatistic[]>(
  n: number,
  statistics: S,
  drawing: Drawing,
): { -readonly [I in keyof S]: Estimate } {
  const { patients, ...options } = drawing;
  const all = Uint32Array.from({ length: n }, (_, i) => i);
  const every = (indices: Uint32Array): number[] => statistics.map((of) => of(indices));
  const own = every(all);
  const cases = bootstrapIntervals(n, every, options);
  const grouped = patients && bootstrapIntervals(n, every, { ...options, groups: patients });
  const ends = (interval: { low: number; high: number } | null | undefined): Interval | null =>
    interval ? [interval.low, interval.high] : null;
  return mapTuple(statistics, (_, i) => ({
    value: Number.isNaN(own[i]) ? null : own[i]!,
    cases: ends(cases[i]),
    ...(grouped ? { patients: ends(grouped[i]) } : {}),
  }));
}

/** DeLong's interval; null with fewer than two cases on a side. */
export function delongEnds({ scores, targets }: ClassColumn): Interval | null {
  const positives = targets.reduce((sum, target) => sum + target, 0);
  if (positives < 2 || targets.length - positives < 2) return null;
  const { low, high } = delongInterval(scores, targets);
  return [low, high];
}

/** The figure with nothing known of it. */
export const UNDEFINED: Estimate = { value: null, cases: null };
