/** Finding the results of runs under a folder. @module */
import { join } from "@std/path";
import { parseRunRecord, type RunRecord } from "../display/results.ts";
import { parseTable4Run, TABLE4_KIND, type Table4Run } from "./table4.ts";
import { isRecordKind, parseRecord, parseRecords } from "./record.ts";
import { type ReproduceRecord, TABLE_NAMES } from "./types.ts";

/** All results under a folder. */
export interface Gathered {
  /** Runs of the reproduction, in the tables' order. */
  records: ReproduceRecord[];
  /** Runs of table 4. */
  dense: Table4Run[];
  /** Other runs (demo, evaluate) by the path of their file. */
  others: { path: string; record: RunRecord }[];
  /** JSON files that are no results. */
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
  const found: Gathered = { records: [], dense: [], others: [], passedOver: [] };
  for (const path of await jsonFiles(folder)) {
    const text = await Deno.readTextFile(path);
    const value = parsed(text);
    if (Array.isArray(value) && value.length > 0 && value.every(isRecordKind)) {
      found.records.push(...parseRecords(text, path));
    } else if (isRecordKind(value)) found.records.push(parseRecord(text, path));
    else if (text.includes(TABLE4_KIND)) found.dense.push(parseTable4Run(text, path));
    else if (isRunRecord(value)) found.others.push({ path, record: parseRunRecord(text, path) });
    else found.passedOver.push(path);
  }
  const place = ({ table }: ReproduceRecord): number => TABLE_NAMES.indexOf(table);
  found.records.sort((a, b) => place(a) - place(b));
  return found;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRunRecord(value: unknown): boolean {
  return typeof value === "object" && value !== null && "sets" in value && "backend" in value && "synthetic" in value;
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
