/** Two runs on the same cases compared: DeLong's test and the paired bootstrap. @module */
import type { ClassComparison, ComparisonRecord, PairedFigure } from "../../display/evaluation.ts";
import { pairedBootstrap } from "../metrics/bootstrap.ts";
import { delongTest } from "../metrics/delong.ts";
import {
  classColumns,
  columnAuprc,
  columnAuroc,
  type DrawStatistic,
  isTold,
  meanOf,
  meanStatistic,
  rightAnswers,
} from "./columns.ts";
import type { Drawing } from "./estimate.ts";
import { type Predictions, selectPredictions } from "./predictions.ts";
import { checkOptions, COUNT, INTEGER, type Rules } from "../../platform/options.ts";

/** The error for two runs that are not of the same cases. */
export class UnpairedRunsError extends RangeError {
  /** Name shown in stack traces. */
  override name = "UnpairedRunsError";
}

/** Options of {@linkcode comparePredictions}. */
export interface CompareOptions {
  /** Resamples of every bootstrap. @default {1000} */
  resamples?: number;
  /** Seed of every bootstrap. @default {1} */
  seed?: number;
}

/** What they must be. */
const COMPARE_RULES: Rules<CompareOptions> = { resamples: COUNT, seed: INTEGER };

/**
 * `b` with its cases in the order of `a`'s.
 *
 * @throws {UnpairedRunsError} If ids, classes or truths differ; the message names the first.
 */
function pairedWith(a: Predictions, b: Predictions): Predictions {
  const refuse = (what: string): never => {
    throw new UnpairedRunsError(`Cannot compare two runs as ${what}`);
  };
  if (a.task !== b.task || a.classes.join("\n") !== b.classes.join("\n")) {
    refuse(
      `their classes must be the same: ${a.classes.join(", ")} (${a.task}) and ${b.classes.join(", ")} (${b.task})`,
    );
  }
  const rowOf = new Map(b.ids.map((id, row) => [id, row]));
  const alone = (ids: readonly string[], others: { has(id: string): boolean }): string[] =>
    ids.filter((id) => !others.has(id));
  const [onlyA, onlyB] = [alone(a.ids, rowOf), alone(b.ids, new Set(a.ids))];
  if (onlyA.length + onlyB.length > 0) {
    const example = JSON.stringify(onlyA[0] ?? onlyB[0]);
    refuse(
      `their cases must be the same: ${onlyA.length} are in the first alone and ${onlyB.length} in the second alone, such as ${example}`,
    );
  }
  const paired = selectPredictions(b, a.ids.map((id) => rowOf.get(id)!));
  const width = a.targets.length / a.ids.length;
  const other = a.targets.findIndex((target, i) => target !== paired.targets[i]);
  if (other >= 0) {
    refuse(
      `the truth of each case must be the same: that of ${JSON.stringify(a.ids[Math.floor(other / width)])} differs`,
    );
  }
  return paired;
}

/**
 * Compares `a` with `b` case by case: differences are of `a` less `b`. Intervals are over patients where `a` knows them.
 *
 * @throws {UnpairedRunsError} If they are not of the same cases.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function comparePredictions(a: Predictions, b: Predictions, options: CompareOptions = {}): ComparisonRecord {
  checkOptions("compare", options, COMPARE_RULES);
  const other = pairedWith(a, b);
  const n = a.ids.length;
  const drawing: Drawing = { ...options, ...(a.patients ? { patients: a.patients } : {}) };
  const [columnsA, columnsB] = [classColumns(a), classColumns(other)];
  const classes = Object.fromEntries(columnsA.flatMap((column, c): [string, ClassComparison][] => {
    if (!isTold(column)) return [];
    const second = columnsB[c]!;
    const positives = column.targets.reduce((sum, target) => sum + target, 0);
    const hasPairs = Math.min(positives, n - positives) >= 2;
    return [[column.name, {
      auroc: paired(n, columnAuroc(column), columnAuroc(second), drawing),
      auprc: paired(n, columnAuprc(column), columnAuprc(second), drawing),
      delong: hasPairs ? delongOf(delongTest(column.scores, second.scores, column.targets)) : null,
    }]];
  }));
  const mean = (columns: typeof columnsA): DrawStatistic => meanStatistic(columns.map(columnAuroc), n);
  return {
    cases: n,
    patients: a.patients ? new Set(a.patients).size : null,
    accuracy: paired(n, meanOf(rightAnswers(a)), meanOf(rightAnswers(other)), drawing),
    auroc: Object.keys(classes).length === 0 ? null : paired(n, mean(columnsA), mean(columnsB), drawing),
    classes,
  };
}

function delongOf({ difference, low, high, z, p }: ReturnType<typeof delongTest>): ClassComparison["delong"] {
  return { difference, interval: [low, high], z, p };
}

function paired(n: number, a: DrawStatistic, b: DrawStatistic, { patients, ...options }: Drawing): PairedFigure {
  const all = Uint32Array.from({ length: n }, (_, i) => i);
  const { difference, low, high, p } = pairedBootstrap(n, a, b, {
    ...options,
    ...(patients ? { groups: patients } : {}),
  });
  return { a: a(all), b: b(all), difference, interval: [low, high], p };
}
