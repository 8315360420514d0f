/** Which runs of tables are left to carry out: done ones are skipped, equal ones shared. @module */
import { join } from "@std/path";
import { exists } from "../io/files.ts";
import { configurationOf, type ReproduceContext } from "./context.ts";
import { readRecords, readTable4Runs, recordPath, writeRecord } from "./files.ts";
import { keptAdapterPath, shortTag } from "./kept_adapters.ts";
import type { PlannedRun } from "./plan.ts";
import { configurationKey, type ReproduceRecord } from "./record.ts";
import { paperTable4Configuration, table4Runs } from "./tables/table4/paper.ts";
import { table4Configuration } from "./tables/table4/synthetic.ts";

/** What became of runs that need not be carried out. */
export interface JobCounts {
  /** Runs whose record was there already. */
  skipped: number;
  /** Runs whose configuration another run of the same seed had. */
  shared: number;
}

/** A run of a table, or table 4 under a seed. */
export type Job = TableJob | { table4Seed: number };

/** A run, which those of other tables may share. */
export interface TableJob {
  /** The run. */
  run: PlannedRun;
  /** Seed and configuration. */
  key: string;
  /** Runs of other tables with the same configuration and seed. */
  aliases: PlannedRun[];
}

/** Training steps of some runs. */
export async function plannedSteps(
  { scale, data }: Pick<ReproduceContext, "scale" | "data">,
  runs: readonly PlannedRun[],
): Promise<number> {
  const trained = runs.filter(({ method }) => method !== "none").length;
  if (trained === 0) return 0;
  const pairs = scale.pairs ?? (await data.train()).cases.length;
  return trained * Math.ceil(pairs / scale.batchSize) * scale.epochs;
}

/** How many files jobs will write. */
export function waiting(jobs: readonly Job[]): number {
  return jobs.reduce((sum, job) => sum + 1 + ("run" in job ? job.aliases.length : 0), 0);
}

/** Whether a record is that of a run. */
export function isOf(record: ReproduceRecord, run: PlannedRun): boolean {
  return record.table === run.table && record.id === run.id && record.seed === run.seed;
}

/** The runs that are trained; at the paper's scale table 4 adds those whose adapters are neither kept nor trained by another. */
export async function trainedRuns(
  context: ReproduceContext,
  jobs: readonly Job[],
  { out, methods }: { out: string; methods?: readonly string[] | undefined },
): Promise<PlannedRun[]> {
  const runs = jobs.flatMap((job) => "run" in job ? [job.run] : []);
  if (context.scale.name !== "paper") return runs;
  const pathOf = async (run: PlannedRun): Promise<string | undefined> =>
    await keptAdapterPath(out, run, await configurationOf(context, run));
  const paths = new Set(await Promise.all(runs.map(pathOf)));
  for (const job of jobs) {
    if ("run" in job) continue;
    for (const run of table4Runs(job.table4Seed, methods)) {
      const path = await pathOf(run);
      if (path !== undefined && !paths.has(path) && !await exists(path)) runs.push(run);
    }
  }
  return runs;
}

/** Every run once: those of other tables with the same configuration and seed follow the first; table 4 is one for each seed. */
export async function distinctJobs(
  context: ReproduceContext,
  runs: readonly PlannedRun[],
  table4Seeds: readonly number[],
): Promise<Job[]> {
  const jobs = new Map<string, TableJob>();
  for (const run of runs) {
    const key = keyOf(await configurationOf(context, run), run.seed);
    if (jobs.has(key)) jobs.get(key)!.aliases.push(run);
    else jobs.set(key, { run, key, aliases: [] });
  }
  // The longest first, so that no processor waits for it at the end; at the paper's scale table 4 stands on adapters of the others.
  const dense = table4Seeds.map((table4Seed) => ({ table4Seed }));
  return context.scale.name === "paper" ? [...jobs.values(), ...dense] : [...dense, ...jobs.values()];
}

function keyOf(configuration: unknown, seed: number): string {
  return `${seed} ${configurationKey(configuration)}`;
}

/** The jobs to carry out; runs that are done, or can be shared with a finished one, are settled here. */
export async function pendingJobs(
  context: ReproduceContext,
  jobs: readonly Job[],
  { out, outcome, methods }: { out: string; outcome: JobCounts; methods?: readonly string[] | undefined },
): Promise<Job[]> {
  const records = await readRecords(out);
  const finished = new Map(records.map((record) => [keyOf(record.configuration, record.seed), record]));
  const denseKey = jobs.some((job) => !("run" in job)) ? await table4Key(context, methods) : "";
  const dense = await readTable4Runs(out);
  const pending: Job[] = [];
  for (const job of jobs) {
    if (!("run" in job)) {
      const isDone = dense.some(({ seed, configuration }) =>
        seed === job.table4Seed && configurationKey(configuration) === denseKey
      );
      if (isDone) outcome.skipped++;
      else pending.push(job);
      continue;
    }
    const done = finished.get(job.key);
    const left: PlannedRun[] = [];
    for (const run of [job.run, ...job.aliases]) {
      const own = records.find((record) => isOf(record, run));
      if (own && keyOf(own.configuration, own.seed) === job.key) outcome.skipped++;
      else if (done && (!run.explain || done.explained)) await share(done, run, { out, outcome });
      else left.push(run);
    }
    const [run, ...aliases] = left;
    if (run) pending.push({ run, key: job.key, aliases });
  }
  return pending;
}

async function table4Key(context: ReproduceContext, methods?: readonly string[]): Promise<string> {
  const isPaper = context.scale.name === "paper";
  return configurationKey(isPaper ? await paperTable4Configuration(context, methods) : table4Configuration(context));
}

/** Writes the record of one run under the name of another with the same configuration. */
export async function share(
  record: ReproduceRecord,
  run: PlannedRun,
  { out, outcome }: { out: string; outcome: JobCounts },
): Promise<void> {
  const { group: _, same_as, ...rest } = record;
  const { table, id, label, group, place } = run;
  const origin = same_as ?? recordPath("", record).replaceAll("\\", "/").replace(/^\.?\//, "");
  await writeRecord(out, {
    ...rest,
    table,
    id,
    label,
    place,
    ...(group === undefined ? {} : { group }),
    same_as: origin,
  });
  outcome.shared++;
}

/** The file of a long training's state; its name changes with the configuration, so that no other run goes on from it. */
export async function stateFile(out: string, { run, key }: TableJob): Promise<string> {
  return join(out, run.table, `${run.id}-seed${run.seed}.${await shortTag(key)}.state.safetensors`);
}
