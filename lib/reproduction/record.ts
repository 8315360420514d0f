/** Reading and writing the records of runs. @module */
import { join } from "@std/path";
import { writeFileAtomic } from "../io/files.ts";
import { gitRevision, versions } from "../io/run_facts.ts";
import type { BackendInfo } from "../tensor/backend.ts";
import { type PlannedRun, RECORD_KIND, type ReproduceRecord, type RunSpec, TABLE_NAMES } from "./types.ts";

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
  configuration: Record<string, unknown>,
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
    backend: backend.name,
    adapter: backend.adapter,
    versions: versions(),
    revision: await gitRevision(),
  };
}

/** Where a run's record lies: `<out>/<table>/<id>-seed<k>.json`. */
export function recordPath(out: string, run: Pick<RunSpec, "table" | "id"> & { seed: number }): string {
  return join(out, run.table, `${run.id}-seed${run.seed}.json`);
}

/** Writes a run's record, whole or not at all. */
export async function writeRecord(out: string, record: ReproduceRecord): Promise<void> {
  await writeFileAtomic(recordPath(out, record), JSON.stringify(record, null, 1) + "\n");
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

/**
 * Reads records kept as one JSON array.
 *
 * @throws {SyntaxError} If it is none, or a record is damaged.
 */
export function parseRecords(text: string, name: string): ReproduceRecord[] {
  const values: unknown = JSON.parse(text);
  check(name, "the file", ["an array", Array.isArray], values);
  return (values as unknown[]).map((value, i) => parseRecord(JSON.stringify(value), `${name} [${i}]`));
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

type Check = readonly [what: string, holds: (value: unknown) => boolean];
const TEXT: Check = ["a text", (v) => typeof v === "string"];
const NUMBER: Check = ["a finite number", (v) => typeof v === "number" && Number.isFinite(v)];
const COUNT: Check = ["a whole number of at least 0", (v) => Number.isInteger(v) && (v as number) >= 0];
const OBJECT: Check = ["an object", (v) => typeof v === "object" && v !== null && !Array.isArray(v)];
const INTERVAL: Check = [
  "two rising numbers",
  (v) => Array.isArray(v) && v.length === 2 && v.every((x) => typeof x === "number") && v[0]! <= v[1]!,
];
const SHARE: Check = ["a number in [0, 1]", (v) => typeof v === "number" && v >= 0 && v <= 1];
const FLAG: Check = ["true or false", (v) => typeof v === "boolean"];
const TEXTS: Check = ["texts", (v) => Array.isArray(v) && v.every((x) => typeof x === "string")];
const orNull = ([what, holds]: Check): Check => [`${what}, or null`, (v) => v === null || holds(v)];

const FIELDS: Readonly<Record<string, Check>> = {
  kind: [`"${RECORD_KIND}"`, (v) => v === RECORD_KIND],
  table: [`one of ${TABLE_NAMES.join(", ")}`, (v) => (TABLE_NAMES as readonly unknown[]).includes(v)],
  id: TEXT,
  label: TEXT,
  place: COUNT,
  seed: COUNT,
  configuration: OBJECT,
  backend: TEXT,
  adapter: TEXT,
  versions: OBJECT,
  revision: orNull(TEXT),
  trainable: COUNT,
  total: COUNT,
  seconds: NUMBER,
  steps: COUNT,
  timed_steps: COUNT,
  peak_tensor_bytes: COUNT,
  peak_process_bytes: orNull(COUNT),
  false_negatives: OBJECT,
  loss: OBJECT,
  sets: OBJECT,
};

const SET_FIELDS: Readonly<Record<string, Check>> = {
  accuracy: SHARE,
  accuracy_ci: INTERVAL,
  auroc: orNull(SHARE),
  auroc_ci: orNull(INTERVAL),
  classes: TEXTS,
  split: OBJECT,
  synthetic: FLAG,
  scores: TEXT,
  targets: TEXT,
};

/**
 * Reads a run's record.
 *
 * @param text JSON text.
 * @param name File name for messages.
 * @throws {SyntaxError} If the text is no JSON, or a field is missing or of another kind; the message names both.
 */
export function parseRecord(text: string, name: string): ReproduceRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(`Cannot read "${name}" as it must be JSON: ${(error as Error).message}`);
  }
  check(name, "the file", OBJECT, value);
  const record = value as Record<string, unknown>;
  for (const [field, rule] of Object.entries(FIELDS)) check(name, field, rule, record[field]);
  for (const [set, figures] of Object.entries(record["sets"] as Record<string, Record<string, unknown>>)) {
    check(name, `sets.${set}`, OBJECT, figures);
    for (const [field, rule] of Object.entries(SET_FIELDS)) check(name, `sets.${set}.${field}`, rule, figures[field]);
  }
  return record as unknown as ReproduceRecord;
}

function check(name: string, field: string, [what, holds]: Check, value: unknown): void {
  if (holds(value)) return;
  const found = JSON.stringify(value)?.slice(0, 60);
  throw new SyntaxError(`Cannot read "${name}" as "${field}" must be ${what}: current value is ${found}`);
}

/** Whether a JSON value is one of these records, by its kind. */
export function isRecordKind(value: unknown): boolean {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === RECORD_KIND;
}

/**
 * Every record of a folder, table by table; other files are passed over.
 *
 * @param out Folder of the reproduction; one that is not there holds none.
 * @throws {SyntaxError} If a record is damaged; the message names its file.
 */
export async function readRecords(out: string): Promise<ReproduceRecord[]> {
  const records: ReproduceRecord[] = [];
  for (const table of TABLE_NAMES) {
    for (const name of await jsonNames(join(out, table))) {
      const path = join(out, table, name);
      const text = await Deno.readTextFile(path);
      if (text.includes(RECORD_KIND)) records.push(parseRecord(text, path));
    }
  }
  return records;
}

/** Names of the JSON files of a folder, sorted; none where it is not there. */
export async function jsonNames(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) if (entry.name.endsWith(".json")) names.push(entry.name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}
