/** A table's runs for a notebook: kept ones are read, others carried out. @module */
import { type BackendInfo, selectBackend } from "../tensor/backend.ts";
import type { TableName } from "./plan.ts";
import { type KeptRuns, parseKept } from "./files.ts";
import { reproduce, REPRODUCE_RULES, type ReproduceOptions } from "./reproduce.ts";
import { checkOptions, RECORD, type Rules, TEXT } from "../platform/options.ts";

/** Options of {@linkcode openRuns}; all others are those of the reproduction, which `kept` takes the place of. */
export interface OpenRunsOptions extends ReproduceOptions {
  /** File of records kept from an earlier reproduction. @default {none: the runs are carried out} */
  kept?: string;
  /** What carries them out. @default {what `selectBackend` takes} */
  backend?: BackendInfo;
}

/** What they must be. */
const OPEN_RUNS_RULES: Rules<OpenRunsOptions> = {
  ...REPRODUCE_RULES,
  kept: TEXT,
  backend: RECORD,
};

/** Runs of one table, and where they come from. */
export interface OpenedRuns extends KeptRuns {
  /** Where they come from, in words: how many, of which revision, on what. */
  origin: string;
}

/**
 * The runs of one table: read from a file of kept records, or carried out by {@linkcode reproduce}.
 *
 * @throws {RangeError} If the file holds no run of the table.
 * @throws {Error} If a run that is carried out fails.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function openRuns(table: TableName, options: OpenRunsOptions = {}): Promise<OpenedRuns> {
  checkOptions("open runs", options, OPEN_RUNS_RULES);
  const { kept, backend, ...rest } = options;
  if (kept !== undefined) {
    const all = parseKept(await Deno.readTextFile(kept), kept);
    const records = all.records.filter((record) => record.table === table);
    const dense = all.dense.filter((run) => run.table === table);
    const made = [...records, ...dense.map(({ result }) => result)];
    if (made.length === 0) {
      throw new RangeError(`Cannot show ${table} as "${kept}" must hold runs of it: it holds none`);
    }
    const revisions = [...new Set(made.map(({ revision }) => revision?.slice(0, 7) ?? "unknown"))];
    return {
      ...{ records, dense },
      origin: `${made.length} kept runs of revision ${revisions.join(", ")}: nothing is carried out`,
    };
  }
  const own = backend ?? await selectBackend();
  const { records, dense, ran, failed } = await reproduce([table], own, rest);
  if (failed.length > 0) throw new Error(`Cannot show ${table} as its runs must succeed: ${failed.join("; ")}`);
  return { records, dense, origin: `${records.length + dense.length} runs on ${own.name}, ${ran} carried out now` };
}
