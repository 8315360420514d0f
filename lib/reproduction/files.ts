/** The JSON files of runs, by their names in a folder of the reproduction, or anywhere below a folder. @module */
import { join } from "@std/path";
import { checkDenseRecord, checkRunRecord, checkTrainingRecord, recordKind } from "../display/records.ts";
import type { DenseRecord, RunRecord, TrainingRecord } from "../display/results.ts";
import { checkedField, LIST, parseJson } from "../io/fields.ts";
import { writeFileAtomic } from "../io/files.ts";
import { type RunSpec, TABLE_NAMES } from "./plan.ts";
import { isRecordKind, parseRecord, RECORD_KIND, type ReproduceRecord } from "./record.ts";
import { isTable4Kind, parseTable4Run, TABLE4_KIND, type Table4Run } from "./tables/table4/run.ts";

/** Where a run's record lies: `<out>/<table>/<id>-seed<k>.json`. */
export function recordPath(out: string, run: Pick<RunSpec, "table" | "id"> & { seed: number }): string {
  return join(out, run.table, `${run.id}-seed${run.seed}.json`);
}

/** Writes a run's record, whole or not at all; scores of patients are their owner's alone. */
export async function writeRecord(out: string, record: ReproduceRecord): Promise<void> {
  const isPrivate = Object.values(record.sets).some(({ synthetic }) => !synthetic);
  await writeFileAtomic(recordPath(out, record), JSON.stringify(record, null, 1) + "\n", { isPrivate });
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
async function jsonNames(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) if (entry.name.endsWith(".json")) names.push(entry.name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}

/** Runs that one file keeps. */
export interface KeptRuns {
  /** Runs of all tables but table 4. */
  records: ReproduceRecord[];
  /** Runs of table 4. */
  dense: Table4Run[];
}

/**
 * Reads runs kept as one JSON array, as `report --keep` writes them.
 *
 * @throws {SyntaxError} If it is none, or a run is damaged; the message names its place in the file.
 */
export function parseKept(text: string, name: string): KeptRuns {
  const values = checkedField(name, "the file", parseJson(text, name), LIST);
  const kept: KeptRuns = { records: [], dense: [] };
  for (const [i, value] of values.entries()) {
    const [own, place] = [JSON.stringify(value), `${name} [${i}]`];
    if (isTable4Kind(value)) kept.dense.push(parseTable4Run(own, place));
    else kept.records.push(parseRecord(own, place));
  }
  return kept;
}

/** All results under a folder. */
export interface Gathered extends KeptRuns {
  /** Other runs (demo, evaluate) by the path of their file. */
  others: { path: string; record: RunRecord }[];
  /** Heads on test cases, likewise. */
  heads: { path: string; record: DenseRecord }[];
  /** Training runs, likewise. */
  trainings: { path: string; record: TrainingRecord }[];
  /** JSON files that no report shows, configurations of adapters left out. */
  passedOver: string[];
}

/**
 * Reads every JSON file under a folder.
 *
 * @param folder Folder of results, at any depth.
 * @throws {Deno.errors.NotFound} If the folder is not there.
 * @throws {SyntaxError} If a record of a run is damaged; the message names its file.
 */
export async function gatherResults(folder: string): Promise<Gathered> {
  const gathered: Gathered = { records: [], dense: [], others: [], heads: [], trainings: [], passedOver: [] };
  for (const path of await jsonFiles(folder)) {
    const text = await Deno.readTextFile(path);
    const value = parsed(text);
    if (Array.isArray(value) && value.length > 0 && value.every((run) => isRecordKind(run) || isTable4Kind(run))) {
      const { records, dense } = parseKept(text, path);
      gathered.records.push(...records);
      gathered.dense.push(...dense);
    } else if (isRecordKind(value)) gathered.records.push(parseRecord(text, path));
    else if (text.includes(TABLE4_KIND)) gathered.dense.push(parseTable4Run(text, path));
    else {
      const kind = recordKind(value);
      if (kind === "evaluation") gathered.others.push({ path, record: checkRunRecord(value, path) });
      else if (kind === "dense") gathered.heads.push({ path, record: checkDenseRecord(value, path) });
      else if (kind === "training") gathered.trainings.push({ path, record: checkTrainingRecord(value, path) });
      else if (!path.endsWith("_config.json")) gathered.passedOver.push(path); // an adapter's own
    }
  }
  const rank = ({ table }: ReproduceRecord): number => TABLE_NAMES.indexOf(table);
  gathered.records.sort((a, b) => rank(a) - rank(b));
  return gathered;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function jsonFiles(folder: string): Promise<string[]> {
  const out: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) out.push(...await jsonFiles(path));
    else if (entry.name.endsWith(".json")) out.push(path);
  }
  return out.sort();
}

/** Writes a run, whole or not at all. */
export async function writeTable4Run(out: string, run: Table4Run): Promise<void> {
  await writeFileAtomic(recordPath(out, run), JSON.stringify(run, null, 1) + "\n");
}

/** The runs of table 4 in a folder of the reproduction, by rising seed. */
export async function readTable4Runs(out: string): Promise<Table4Run[]> {
  const runs: Table4Run[] = [];
  for (const name of await jsonNames(join(out, "table4"))) {
    const path = join(out, "table4", name);
    const text = await Deno.readTextFile(path);
    if (text.includes(TABLE4_KIND)) runs.push(parseTable4Run(text, path));
  }
  return runs.sort((a, b) => a.seed - b.seed);
}
