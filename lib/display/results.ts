/** The records runs leave behind (metrics.json, training.json), and their table; records.ts reads them. @module */
import type { Estimate, EvaluationRecord, Interval } from "./evaluation.ts";
import type { Table, TableCell } from "./table.ts";
import { checkRecord, checkValue, FLAG, needed, RECORD } from "../platform/options.ts";

/** The form of metrics.json that this version writes; docs/metrics.md tells it. Files of version 0.1.0 name none. */
export const METRICS_SCHEMA = 2;

/** Figures of one method on one set; shares in `[0, 1]`, intervals `[low, high]` of 95 %. */
export interface MethodResult {
  /** Share of right predictions. */
  accuracy: number;
  /** Its interval. */
  accuracy_ci: [number, number];
  /** Area under the ROC curve; null where undefined. */
  auroc: number | null;
  /** Its interval. */
  auroc_ci: [number, number] | null;
  /** Number of cases. */
  n: number;
  /** Trainable numbers of the method. */
  trainable: number;
  /** Seconds of its training. */
  seconds?: number;
  /** Cases and AUROC of each class, where there are more than two or they do not exclude each other; null where undefined. */
  per_class?: Record<string, { n: number; auroc: number | null }>;
  /** Classes left out of the AUROC: without a case, or without another. */
  skipped?: string[];
  /** All else that was found of one model on one set. */
  evaluation?: EvaluationRecord;
}

/** Which cases a set was read from. */
export interface SplitRecord {
  /** Name of the split. */
  name: string;
  /** Number of cases. */
  size: number;
  /** SHA-256 (hex) of the ids joined by newlines. */
  hash: string;
}

/** One run: what it was, and its figures by set and method. */
export interface RunRecord {
  /** {@linkcode METRICS_SCHEMA}. @default {1, as version 0.1.0 wrote it} */
  schema?: number;
  /** The command that wrote it. @default {not told, as by version 0.1.0} */
  command?: string;
  /** Seed of everything random. */
  seed: number;
  /** `webgpu`, `wasm` or `cpu`. */
  backend: string;
  /** Name of the GPU adapter; null without one. */
  adapter: string | null;
  /** Seconds of the whole run. */
  seconds: number;
  /** Figures: set, then method. */
  sets: Record<string, Record<string, MethodResult>>;
  /** Whether the images and texts are generated. */
  synthetic: boolean;
  /** Versions of Deno, tfjs and this package. */
  versions: Record<string, string>;
  /** Git revision of the code. */
  revision?: string | null;
  /** The split of each set. */
  splits?: Record<string, SplitRecord>;
  /** What limits what the figures are worth, such as that cases judged chose the weights. @default {nothing} */
  warnings?: readonly string[];
  /** Settings of the run. */
  configuration?: Record<string, unknown>;
}

/** A head's figures on test cases: metrics.json of `segment evaluate` and `detect evaluate`. */
export interface DenseRecord {
  /** {@linkcode METRICS_SCHEMA}. @default {1, as version 0.1.0 wrote it} */
  schema?: number;
  /** The command that wrote it. */
  command: "segment evaluate" | "detect evaluate";
  /** File of the head. */
  head: string;
  /** What limits what the figures are worth. @default {nothing} */
  warnings?: readonly string[];
  /** The figures by name; those that are no number are of the command's own. */
  figures: Record<string, unknown>;
  /** Figures of simpler answers, by name. */
  baselines: Record<string, Record<string, unknown>>;
  /** The data set. */
  data: { name: string; synthetic: boolean };
  /** The encoder's files, with what must be said of them. */
  model?: { notice?: unknown } | null;
}

/** A training run: training.json of `train`, `segment train` and `detect train`. */
export interface TrainingRecord {
  /** The command that wrote it. */
  command: "train" | "segment train" | "detect train";
  /** Loss of each step (`train`) or epoch (the heads). */
  history: { loss: number; figure?: number | null }[];
  /** The data set. */
  data: { name: string; synthetic?: unknown };
  /** The model's files, with what must be said of them. */
  model?: { notice?: unknown } | null;
  /** Seconds it took. */
  seconds: number;
  /** Trainable numbers, where they are told. */
  trainable?: number;
}

/**
 * One row a set and method: accuracy and AUROC with intervals, cases, trainable numbers, seconds; the best of each set
 * is marked.
 *
 * @param record The run.
 * @returns The table, with the synthetic badge where it applies.
 */
export function resultsTable(record: Pick<RunRecord, "sets" | "synthetic">): Table {
  checkRecord("show results", "the record", record, { sets: needed(RECORD), synthetic: FLAG });
  for (const [name, set] of Object.entries(record.sets)) checkValue("show results", `sets.${name}`, set, RECORD);
  const timed = Object.values(record.sets).some((set) => Object.values(set).some((m) => m.seconds !== undefined));
  const rows = Object.entries(record.sets).flatMap(([set, methods]) =>
    Object.entries(methods).map(([method, m]): TableCell[] => [
      set,
      method,
      withInterval(m.accuracy, m.evaluation?.accuracy, m.accuracy_ci),
      m.auroc === null ? null : withInterval(m.auroc, m.evaluation?.auroc, m.auroc_ci),
      m.n,
      m.trainable,
      ...(timed ? [m.seconds === undefined ? null : { value: m.seconds, text: m.seconds.toFixed(1) }] : []),
    ])
  );
  return {
    columns: [
      { title: "set" },
      { title: "method", align: "left" },
      { title: "accuracy (95 % CI)", best: "high" },
      { title: "AUROC (95 % CI)", best: "high" },
      { title: "cases" },
      { title: "trainable" },
      ...(timed ? [{ title: "training s" }] : []),
    ],
    rows,
    groupBy: 0,
    synthetic: record.synthetic,
    ...skippedCaption(record),
  };
}

/** Says which classes an AUROC leaves out. */
function skippedCaption({ sets }: Pick<RunRecord, "sets">): Pick<Table, "caption"> {
  const sentences = Object.entries(sets).flatMap(([set, methods]) => {
    const [names] = Object.values(methods).flatMap(({ skipped = [] }) => skipped.length > 0 ? [skipped] : []);
    return names ? [`AUROC of ${set} without ${names.join(", ")}: all cases, or none, are of the class.`] : [];
  });
  return sentences.length > 0 ? { caption: sentences.join(" ") } : {};
}

/** A figure with the interval of the evaluation's own tables where there are such, else the one over cases. */
function withInterval(value: number, judged: Estimate | undefined, overCases: Interval | null): TableCell {
  const interval = judged?.patients ?? judged?.cases ?? overCases;
  const range = interval === null ? "" : ` (${interval[0].toFixed(3)}-${interval[1].toFixed(3)})`;
  // Marks compare what is printed: two figures that read the same are equally good.
  return { value: Number(value.toFixed(3)), text: `${value.toFixed(3)}${range}` };
}
