/** The record that a run leaves behind, read and written. @module */
import {
  checkedFields,
  type FieldRule,
  FINITE,
  FINITES,
  FLAG,
  INTERVAL,
  isRecord,
  orNull,
  parseJson,
  RECORD,
  SHARE,
  TEXT,
  TEXTS,
  WHOLE,
  word,
} from "../io/fields.ts";
import { runFacts } from "../io/run_facts.ts";
import type { BackendInfo } from "../tensor/backend.ts";
import type { SplitRecord } from "../display/results.ts";
import { type PlannedRun, TABLE_NAMES, type TableName } from "./plan.ts";

/** Figures of one set with what curves and paired comparisons need. */
export interface SetFigures {
  /** Share of right predictions. */
  accuracy: number;
  /** Its 95 % interval over cases. */
  accuracy_ci: [number, number];
  /** Area under the ROC curve, macro one-vs-rest; null where undefined. */
  auroc: number | null;
  /** Its 95 % interval over cases. */
  auroc_ci: [number, number] | null;
  /** Class names. */
  classes: readonly string[];
  /** The cases. */
  split: SplitRecord;
  /** Whether the images are generated. */
  synthetic: boolean;
  /** Probabilities, float32 in base64: of class 1 in a binary set, else row-major `[n, C]`. */
  scores: string;
  /** Class indices, one byte each, in base64. */
  targets: string;
}

/** Attention and hyperedges of one case; the image is not stored. */
export interface ExplainedCase {
  /** Its set. */
  set: string;
  /** Index within the set. */
  index: number;
  /** Class name. */
  label: string;
  /** CLS attention to each patch, four digits. */
  attention: number[];
  /** Hyperedges that reach the CLS node. */
  hyperedges: { source: number | null; members: number[]; weights: number[] }[];
}

/** Marks a JSON file as one of these records. */
export const RECORD_KIND = "ace-lora reproduction run";

/** One run's JSON. */
export interface ReproduceRecord {
  /** {@linkcode RECORD_KIND}. */
  kind: typeof RECORD_KIND;
  /** Table. */
  table: TableName;
  /** Key of the row. */
  id: string;
  /** Name of the row. */
  label: string;
  /** Comparison within the table. */
  group?: string;
  /** Rank of the row in the table, from 0. */
  place: number;
  /** Seed of new weights, orders and dropout. */
  seed: number;
  /** All that decides the figures besides seed and code; a run with an equal one is not run again. */
  configuration: Record<string, unknown> & { model: { name: string; sha256: string } };
  /** File whose figures these are, where another table had run the same configuration under the same seed. */
  same_as?: string;
  /** `webgpu`, `wasm` or `cpu`. */
  backend: string;
  /** What it runs on. */
  adapter: string;
  /** Versions of Deno, tfjs and this package. */
  versions: Record<string, string>;
  /** Git revision of the code. */
  revision: string | null;
  /** Numbers that training changed. */
  trainable: number;
  /** Numbers of the frozen model: 100 % of full fine-tuning. */
  total: number;
  /** Training steps. */
  steps: number;
  /** Seconds of training; 0 without. */
  seconds: number;
  /** Steps that those seconds are of: fewer than all where the run was resumed. */
  timed_steps: number;
  /** Most bytes that tensors held at a time during the run. */
  peak_tensor_bytes: number;
  /** Largest resident size of the process so far, other runs in it included; null where unknown. */
  peak_process_bytes: number | null;
  /** Ordered pairs of different samples in the batches, and how many of them have identical labels. */
  false_negatives: { pairs: number; identical: number };
  /** Loss of the steps kept (all of a short run). */
  loss: { steps: number[]; values: number[] };
  /** Figures by set. */
  sets: Record<string, SetFigures>;
  /** Attention and hyperedges of a few synthetic cases. */
  explained?: ExplainedCase[];
}

/** The part of a record that tells which run it is of, on what and by which code. */
export type RunFacts = Pick<
  ReproduceRecord,
  | "kind"
  | "table"
  | "id"
  | "label"
  | "group"
  | "place"
  | "seed"
  | "configuration"
  | "backend"
  | "adapter"
  | "versions"
  | "revision"
>;

/** What a record says of its run, whatever was done in it. */
export async function recordOfRun(
  run: PlannedRun,
  configuration: ReproduceRecord["configuration"],
  backend: BackendInfo,
): Promise<RunFacts> {
  return {
    kind: RECORD_KIND,
    table: run.table,
    id: run.id,
    label: run.label,
    ...(run.group === undefined ? {} : { group: run.group }),
    place: run.place,
    seed: run.seed,
    configuration,
    ...await runFacts(backend),
  };
}

/**
 * A record without what only curves, overlays and comparisons need, small enough to be committed.
 *
 * @param scores Whether the scores are kept for paired comparisons.
 */
export function compactRecord(record: ReproduceRecord, scores: boolean): ReproduceRecord {
  const { explained: _, ...rest } = record;
  const sets = scores
    ? record.sets
    : Object.fromEntries(Object.entries(record.sets).map(([name, set]) => [name, { ...set, scores: "", targets: "" }]));
  return { ...rest, sets, loss: { steps: [], values: [] } };
}

/** A configuration as text that is equal for equal configurations, whatever the order of the keys. */
export function configurationKey(configuration: unknown): string {
  return JSON.stringify(
    configuration,
    (_, value) =>
      value !== null && typeof value === "object" && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1))
        : value,
  );
}

const numbersOf = ({ length }: readonly unknown[]): FieldRule<number[]> => ({
  must: `${length} finite numbers, one a step`,
  fits: (value): value is number[] => FINITES.fits(value) && value.length === length,
});
const BASE64: FieldRule<string> = {
  must: "bytes in base64",
  fits: (value): value is string =>
    typeof value === "string" && value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value),
};

const FIELDS = {
  kind: word([RECORD_KIND]),
  table: word(TABLE_NAMES),
  id: TEXT,
  label: TEXT,
  place: WHOLE,
  seed: WHOLE,
  configuration: RECORD,
  backend: TEXT,
  adapter: TEXT,
  versions: RECORD,
  revision: orNull(TEXT),
  trainable: WHOLE,
  total: WHOLE,
  seconds: FINITE,
  steps: WHOLE,
  timed_steps: WHOLE,
  peak_tensor_bytes: WHOLE,
  peak_process_bytes: orNull(WHOLE),
  false_negatives: RECORD,
  loss: RECORD,
  sets: RECORD,
};

const SET_FIELDS = {
  accuracy: SHARE,
  accuracy_ci: INTERVAL,
  auroc: orNull(SHARE),
  auroc_ci: orNull(INTERVAL),
  classes: TEXTS,
  split: RECORD,
  synthetic: FLAG,
  scores: BASE64,
  targets: BASE64,
};

/**
 * Reads a run's record.
 *
 * @param text JSON text.
 * @param name File name for messages.
 * @throws {SyntaxError} If the text is no JSON, or a field is missing or of another kind; the message names both.
 */
export function parseRecord(text: string, name: string): ReproduceRecord {
  const record = checkedFields(name, parseJson(text, name), FIELDS);
  const { steps } = checkedFields(name, record.loss, { steps: FINITES }, "loss");
  checkedFields(name, record.loss, { values: numbersOf(steps) }, "loss");
  checkedFields(name, record.false_negatives, { pairs: WHOLE, identical: WHOLE }, "false_negatives");
  checkModel(name, record.configuration);
  for (const [set, figures] of Object.entries(record.sets)) {
    const { split } = checkedFields(name, figures, SET_FIELDS, `sets.${set}`);
    checkedFields(name, split, { name: TEXT, size: WHOLE, hash: TEXT }, `sets.${set}.split`);
  }
  return record as unknown as ReproduceRecord;
}

/** Checks that a configuration names its model. */
export function checkModel(name: string, { model }: Record<string, unknown>): void {
  checkedFields(name, model, { name: TEXT, sha256: TEXT }, "configuration.model");
}

/** Whether a JSON value is one of these records, by its kind. */
export function isRecordKind(value: unknown): boolean {
  return isRecord(value) && value["kind"] === RECORD_KIND;
}
