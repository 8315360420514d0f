/** Figures over seeds: mean, deviation, and paired comparisons of two rows. @module */
import { correctCases } from "../eval/metrics/accuracy.ts";
import { aurocStatistic } from "../eval/metrics/auroc.ts";
import { type PairedBootstrap, pairedBootstrap, type Statistic } from "../eval/metrics/bootstrap.ts";
import { unpackScores, unpackTargets } from "./scores.ts";
import type { TableName } from "./plan.ts";
import type { ReproduceRecord, SetFigures } from "./record.ts";

/** The runs of one row, by rising seed. */
export interface Row {
  /** Its table. */
  table: TableName;
  /** Key. */
  id: string;
  /** Name. */
  label: string;
  /** Comparison within the table. */
  group?: string;
  /** One a seed, at least one. */
  runs: ReproduceRecord[];
}

/** The rows of a table, in the plan's order. */
export function tableRuns(records: readonly ReproduceRecord[], table: TableName): Row[] {
  const rows = new Map<string, Row>();
  for (const record of records) {
    if (record.table !== table) continue;
    const { id, label, group } = record;
    const row = rows.get(id) ?? { table, id, label, ...(group === undefined ? {} : { group }), runs: [] };
    row.runs.push(record);
    rows.set(id, row);
  }
  for (const row of rows.values()) row.runs.sort((a, b) => a.seed - b.seed);
  return [...rows.values()].sort((a, b) => a.runs[0]!.place - b.runs[0]!.place);
}

/** Mean and deviation of some numbers. */
export interface Spread {
  /** Mean. */
  mean: number;
  /** Standard deviation of a sample (n - 1); null for fewer than two numbers. */
  deviation: number | null;
  /** How many numbers. */
  count: number;
}

/** Mean and deviation; null without numbers. */
export function spread(values: readonly number[]): Spread | null {
  const count = values.length;
  if (count === 0) return null;
  const mean = values.reduce((a, b) => a + b, 0) / count;
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return { mean, deviation: count < 2 ? null : Math.sqrt(squares / (count - 1)), count };
}

/** Names of the sets that rows were evaluated on, in order. */
export function setNames(rows: readonly Row[]): string[] {
  return [...new Set(rows.flatMap((row) => row.runs.flatMap((run) => Object.keys(run.sets))))];
}

/** Whether every figure of the rows is of generated images. */
export function isSynthetic(rows: readonly Row[]): boolean {
  return rows.every(({ runs }) => runs.every(({ sets }) => Object.values(sets).every(({ synthetic }) => synthetic)));
}

/** A row's figure on a set over its seeds; null where it is not defined. */
export function rowFigure(row: Row, set: string, figure: "accuracy" | "auroc"): Spread | null {
  return spread(row.runs.map((run) => run.sets[set]?.[figure] ?? null).filter((value) => value !== null));
}

/** A row's AUROC averaged over sets first, then over seeds. */
export function rowMeanAuroc(row: Row): Spread | null {
  return spread(row.runs.flatMap((run) => {
    const values = Object.values(run.sets).map(({ auroc }) => auroc).filter((value) => value !== null);
    return values.length === 0 ? [] : [values.reduce((a, b) => a + b, 0) / values.length];
  }));
}

/** Two rows on one set: A minus B. */
export interface Comparison {
  /** Set. */
  set: string;
  /** Seeds both were run under. */
  seeds: number[];
  /** Difference of the AUROCs averaged over seeds; null where undefined. */
  auroc: PairedBootstrap | null;
  /** Difference of the accuracies averaged over seeds. */
  accuracy: PairedBootstrap;
}

/** Options of {@linkcode compareRows}. */
export interface CompareOptions {
  /** Bootstrap resamples. @default {1000} */
  resamples?: number;
  /** Seed of the draws. @default {1} */
  seed?: number;
}

/**
 * Paired bootstrap of two rows on each set: cases are resampled, and on each resample the two methods' figures, averaged over the
 * seeds both have, are subtracted. Sets on which the rows saw
 * other cases, or whose scores were not kept, are left out.
 */
export function compareRows(a: Row, b: Row, options: CompareOptions = {}): Comparison[] {
  const seeds = a.runs.map(({ seed }) => seed).filter((seed) => b.runs.some((run) => run.seed === seed));
  if (seeds.length === 0) return [];
  const of = (row: Row, set: string): (SetFigures | undefined)[] =>
    seeds.map((seed) => row.runs.find((run) => run.seed === seed)!.sets[set]);
  return setNames([a]).flatMap((set): Comparison[] => {
    const [left, right] = [of(a, set), of(b, set)];
    const hash = left[0]?.split.hash;
    if (![...left, ...right].every((figures) => figures?.split.hash === hash && hash !== undefined)) return [];
    const [first, second] = [left as SetFigures[], right as SetFigures[]];
    if ([...first, ...second].some(({ scores }) => scores === "")) return [];
    const n = first[0]!.split.size;
    const defined = [...first, ...second].every(({ auroc }) => auroc !== null);
    const compare = (statistic: (figures: SetFigures) => Statistic): PairedBootstrap =>
      pairedBootstrap(n, averaged(first.map(statistic)), averaged(second.map(statistic)), options);
    return [{ set, seeds, auroc: defined ? compare(aurocOf) : null, accuracy: compare(accuracyOf) }];
  });
}

function aurocOf({ scores, targets }: SetFigures): Statistic {
  return aurocStatistic(unpackScores(scores), unpackTargets(targets));
}

function accuracyOf({ scores, targets }: SetFigures): Statistic {
  const correct = correctCases(unpackScores(scores), unpackTargets(targets));
  return (indices) => {
    let sum = 0;
    for (const index of indices) sum += correct[index]!;
    return sum / indices.length;
  };
}

function averaged(statistics: readonly Statistic[]): Statistic {
  return (indices) => statistics.reduce((sum, statistic) => sum + statistic(indices), 0) / statistics.length;
}
