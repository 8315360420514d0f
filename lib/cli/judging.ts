/** How `evaluate` judges scores, whether a model's or a list's, and what it writes of them. @module */
import { join } from "@std/path";
import { classFiguresTable, overallTable, subgroupTable } from "../display/evaluation_tables.ts";
import { formatTable } from "../display/table.ts";
import { type MethodResult, METRICS_SCHEMA, resultsTable, type RunRecord } from "../display/results.ts";
import { methodResult } from "../eval/assess.ts";
import { type EvaluateOptions, evaluatePredictions } from "../eval/evaluation/evaluate.ts";
import { predictionParts, type Predictions, predictionsCsv, withTuningPart } from "../eval/evaluation/predictions.ts";
import type { Grouping } from "../eval/evaluation/subgroups.ts";
import type { ThresholdRule } from "../eval/metrics/operating_point.ts";
import { writeFileAtomic } from "../io/files.ts";
import { type Arguments, type OptionSpec, UsageError } from "./command.ts";

/** Options of judging. */
export const JUDGING_OPTIONS: Record<string, OptionSpec> = {
  threshold: {
    type: "string",
    value: "RULE",
    help: "youden, sensitivity:0.9, specificity:0.9, or the threshold itself (default: youden)",
  },
  tune: {
    type: "string",
    value: "SHARE",
    help: "Share of the patients apart, on which thresholds are chosen and a temperature is fitted (default: none)",
  },
  by: {
    type: "string",
    value: "LIST",
    help: "Columns whose groups get figures of their own, numbers in bands: sex,age:20,site",
  },
  resamples: { type: "string", value: "N", help: "Resamples of the bootstrap (default: 1000)" },
};

/** What the options ask of judging; refused before the work begins. */
export function judgingFrom(args: Arguments): EvaluateOptions & { tune?: number; by: Grouping[] } {
  const tune = args.text("tune") === undefined ? undefined : args.number("tune", 0);
  if (tune !== undefined && !(tune > 0 && tune < 1)) {
    throw new UsageError(`--tune must be a share between 0 and 1: current value is "${args.text("tune")}"`);
  }
  return {
    threshold: thresholdFrom(args.text("threshold") ?? "youden"),
    by: groupingsFrom(args),
    resamples: args.integer("resamples", 1000, 1),
    seed: args.integer("seed", 1),
    ...(tune === undefined ? {} : { tune }),
  };
}

function thresholdFrom(text: string): ThresholdRule | number {
  if (text === "youden") return "youden";
  const [, name, share] = /^(sensitivity|specificity):([\d.]+)$/.exec(text) ?? [];
  if (name !== undefined && Number(share) <= 1) {
    return name === "sensitivity" ? { sensitivity: Number(share) } : { specificity: Number(share) };
  }
  if (text.trim() !== "" && Number.isFinite(Number(text))) return Number(text);
  throw new UsageError(
    `--threshold must be youden, sensitivity:SHARE, specificity:SHARE with a share from 0 to 1, or a number: current value is "${text}"`,
  );
}

function groupingsFrom(args: Arguments): Grouping[] {
  return (args.list("by") ?? []).map((item) => {
    const [, column, band] = /^(.+):([^:]*)$/.exec(item) ?? [];
    if (column === undefined) return { column: item };
    if (!(Number(band) > 0)) {
      throw new UsageError(
        `--by must name columns, such as sex, or bands of one, such as age:20: current item is "${item}"`,
      );
    }
    return { column, band: Number(band) };
  });
}

/** What a run is, beside its figures. */
export interface JudgedRun {
  /** Where the files go. */
  out: string;
  /** The scores. */
  predictions: Predictions;
  /** Name of the set and of the method. */
  set: string;
  /** Name of the method. */
  method: string;
  /** Trainable numbers. */
  trainable: number;
  /** Whether the scores may be read as probabilities at all. */
  areProbabilities: boolean;
  /** The rest of the record. */
  record: Omit<RunRecord, "schema" | "sets" | "seed">;
}

/** Judges a run and writes predictions.csv and metrics.json; prints the tables, or the record where `--json` asks for it. */
export async function judge(args: Arguments, run: JudgedRun, lines: readonly string[] = []): Promise<void> {
  const { tune, ...options } = judgingFrom(args);
  const { out, set, method, trainable, areProbabilities } = run;
  const predictions = tune === undefined ? run.predictions : withTuningPart(run.predictions, tune, options.seed!);
  const { judged } = predictionParts(predictions);
  const evaluation = evaluatePredictions(predictions, { ...options, areProbabilities });
  const result: MethodResult = { ...methodResult(judged, options), trainable, evaluation };
  const record: RunRecord = {
    schema: METRICS_SCHEMA,
    command: "evaluate",
    seed: options.seed!,
    ...run.record,
    sets: { [set]: { [method]: result } },
  };
  const json = JSON.stringify(record, null, 2);
  await writeFileAtomic(join(out, "predictions.csv"), predictionsCsv(predictions), { isPrivate: true });
  await writeFileAtomic(join(out, "metrics.json"), `${json}\n`, { isPrivate: true });
  console.error(`wrote ${join(out, "metrics.json")} and predictions.csv`);
  for (const { by, group, note } of evaluation.subgroups) if (note) console.error(`note: ${by} ${group}: ${note}`);
  if (args.flag("json")) return console.log(json);
  const tables = [
    resultsTable(record),
    overallTable(evaluation),
    classFiguresTable(evaluation),
    subgroupTable(evaluation),
  ].filter((table) => table !== undefined);
  console.log([...tables.map((table) => formatTable(table)), ...lines].join("\n\n"));
}
