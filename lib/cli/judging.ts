/** How `evaluate` judges scores, whether a model's or a list's, and what it writes of them. @module */
import { basename } from "@std/path";
import type { EvaluationRecord } from "../display/evaluation.ts";
import { classFiguresTable, overallTable, subgroupTable } from "../display/evaluation_tables.ts";
import { formatTable } from "../display/table.ts";
import { type MethodResult, METRICS_SCHEMA, resultsTable, type RunRecord } from "../display/results.ts";
import { evaluationPage } from "../eval/evaluation/page.ts";
import { methodResult } from "../eval/assess.ts";
import { type EvaluateOptions, evaluatePredictions } from "../eval/evaluation/evaluate.ts";
import { predictionParts, type Predictions, predictionsCsv, withTuningPart } from "../eval/evaluation/predictions.ts";
import type { Grouping } from "../eval/evaluation/subgroups.ts";
import type { ThresholdRule } from "../eval/metrics/operating_point.ts";
import type { RasterImage } from "../image/raster.ts";
import { defined } from "../platform/defined.ts";
import { type Arguments, COUNT, type OptionSpec, UsageError, WHOLE } from "./command.ts";
import { csvOptionsFrom, writeResults } from "./output.ts";

/** Options of judging. */
export const JUDGING_OPTIONS: Record<string, OptionSpec> = {
  threshold: {
    value: "RULE",
    help: "youden, sensitivity:0.9, specificity:0.9, or the threshold itself (default: youden)",
  },
  tune: {
    value: "SHARE",
    number: { above: 0, below: 1 },
    help: "Share of the patients apart, on which thresholds are chosen and a temperature is fitted (default: none)",
  },
  by: {
    value: "LIST",
    help: "Columns of the data's table whose groups get figures of their own, numbers in bands: sex,age:20,site",
  },
  title: { value: "TEXT", help: "Heading of evaluation.html (default: method and set)" },
  pictures: {
    value: "N",
    number: WHOLE,
    help: "Hardest cases shown on evaluation.html (default: 24)",
  },
  resamples: { value: "N", number: COUNT, help: "Resamples of the bootstrap (default: 1000)" },
};

/** What the options ask of judging; refused before the work begins. */
export function judgingFrom(args: Arguments): EvaluateOptions & { tune?: number; by: Grouping[] } {
  const tune = args.number("tune", undefined);
  return {
    threshold: thresholdFrom(args.text("threshold") ?? "youden"),
    by: groupingsFrom(args),
    resamples: args.number("resamples", 1000),
    seed: args.number("seed", 1),
    ...defined({ tune }),
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
  /** What must be said of the model. */
  notice?: string;
  /** What else limits what its figures are worth. @default {nothing} */
  warnings?: readonly string[];
  /** Reads the image of a case. @default {none} */
  imageOf?: (id: string) => Promise<RasterImage>;
  /** The rest of the record. */
  record: Omit<RunRecord, "schema" | "sets" | "seed">;
}

/** Judges a run and writes predictions.csv and metrics.json; prints the tables, or the record where `--json` asks for it. */
export async function judge(args: Arguments, run: JudgedRun, lines: readonly string[] = []): Promise<void> {
  const { tune, ...options } = judgingFrom(args);
  const { out, set, method, trainable, areProbabilities, warnings = [] } = run;
  const predictions = tune === undefined ? run.predictions : withTuningPart(run.predictions, tune, options.seed!);
  const { judged } = predictionParts(predictions);
  const evaluation = evaluatePredictions(predictions, { ...options, areProbabilities });
  const result: MethodResult = {
    ...methodResult(judged, defined({ resamples: options.resamples, seed: options.seed })),
    trainable,
    evaluation,
  };
  const record: RunRecord = {
    schema: METRICS_SCHEMA,
    command: "evaluate",
    seed: options.seed!,
    ...run.record,
    ...(warnings.length > 0 ? { warnings } : {}),
    sets: { [set]: { [method]: result } },
  };
  const page = await evaluationPage({
    title: args.text("title") ?? `${method} on ${basename(args.text("images") ?? set)}`,
    judged,
    record: evaluation,
    warnings: warningsOf(run, evaluation),
    facts: factsOf(run, options.seed!),
    synthetic: run.record.synthetic,
    pictures: args.number("pictures", 24),
    ...defined({ imageOf: run.imageOf }),
  });
  for (const { by, group, note } of evaluation.subgroups) if (note) console.error(`note: ${by} ${group}: ${note}`);
  const { temperature_note: note } = evaluation.calibration ?? {};
  if (note) console.error(`note: temperature: ${note}`);
  const tables = [
    resultsTable(record),
    overallTable(evaluation),
    classFiguresTable(evaluation),
    subgroupTable(evaluation),
  ].filter((table) => table !== undefined);
  await writeResults(args, out, {
    record: ["metrics.json", record],
    files: { "predictions.csv": predictionsCsv(predictions, csvOptionsFrom(args)), "evaluation.html": page },
    text: [
      ...tables.map((table) => formatTable(table)),
      ...warnings.map((text) => `Warning: ${text}.`), // here, too: below figures that fill the screen
      ...lines,
    ].join("\n\n"),
  });
}

/** What must be known before the figures are believed. */
function warningsOf(
  { notice, warnings = [], record: { synthetic } }: JudgedRun,
  { threshold }: EvaluationRecord,
): string[] {
  return [
    ...(synthetic ? ["The images are generated drawings: the figures say nothing about patients."] : []),
    ...(notice === undefined ? [] : [notice]),
    ...warnings,
    ...(threshold.chosen_on === "the cases judged"
      ? [
        "Thresholds were chosen on the cases judged: sensitivity, specificity and what follows from them are too good.",
      ]
      : []),
  ];
}

/** What the run was, for its page. */
function factsOf({ method, set, record }: JudgedRun, seed: number): Record<string, string | number> {
  const { configuration = {}, splits = {}, backend, versions, revision } = record;
  const model = configuration["model"] as
    | { weights?: string; weights_sha256?: string; adapter?: string | null }
    | undefined;
  const split = splits[set];
  return {
    method,
    data: set,
    ...(split ? { split: `${split.name}, ${split.size} cases, sha256 ${split.hash}` } : {}),
    ...(model ? { weights: `${model.weights}, sha256 ${model.weights_sha256}`, adapter: model.adapter ?? "none" } : {}),
    ...(Array.isArray(configuration["prompts"]) ? { prompts: configuration["prompts"].join(" | ") } : {}),
    backend,
    seed,
    revision: revision ?? "unknown",
    versions: Object.entries(versions).map(([name, text]) => `${name} ${text}`).join(", "),
  };
}
