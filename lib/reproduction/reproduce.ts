/** Carries out the runs of tables, each once: done ones are skipped, equal ones shared. @module */
import { join } from "@std/path";
import type { BackendInfo } from "../tensor/backend.ts";
import { configurationOf, openContext, type ReproduceContext } from "./context.ts";
import { findClips } from "./clip.ts";
import { type Executor, localExecutor, workerExecutor } from "./executor.ts";
import { readRecords, readTable4Runs, recordPath, writeRecord, writeTable4Run } from "./files.ts";
import type { PlannedRun, TableName } from "./plan.ts";
import { configurationKey, type ReproduceRecord } from "./record.ts";
import { type ScaleName, SCALES } from "./scale.ts";
import { table4Configuration, type Table4Run } from "./table4_run.ts";
import { plannedRuns } from "./tables/registry.ts";
import { removeRunState } from "../train/state.ts";

/** Options of {@linkcode reproduce}. */
export interface ReproduceOptions {
  /** Sizes and settings. @default {"demo"} */
  scale?: ScaleName;
  /** Seeds. @default {the scale's} */
  seeds?: readonly number[];
  /** Folder with the real sets and weights. @default {none} */
  data?: string;
  /** Folder of the records. @default {"results/reproduce"} */
  out?: string;
  /** Runs carried out at a time, each in a worker; 1 stays in this thread. @default {1} */
  workers?: number;
  /** Stops after the steps under way. */
  signal?: AbortSignal;
  /** Called when the work is known. */
  onPlan?: (plan: { runs: number; done: number; shared: number; steps: number }) => void;
  /** Called after each training step of any run. */
  onStep?: (loss: number) => void;
  /** Takes a line when something is done. */
  note?: (text: string) => void;
}

/** What {@linkcode reproduce} did. */
export interface ReproduceOutcome {
  /** Records of the planned runs that are there now, in the tables' order. */
  records: ReproduceRecord[];
  /** Runs of table 4 that are there now, by rising seed. */
  dense: Table4Run[];
  /** Runs carried out. */
  ran: number;
  /** Runs whose record was there already. */
  skipped: number;
  /** Runs whose configuration another run of the same seed had. */
  shared: number;
  /** One line a run that failed. */
  failed: string[];
  /** Whether `signal` ended it early. */
  interrupted: boolean;
}

type Job = TableJob | { table4Seed: number };

interface TableJob {
  run: PlannedRun;
  key: string;
  /** Runs of other tables with the same configuration and seed. */
  aliases: PlannedRun[];
}

/** The error for table 4 at the paper's scale. */
export class Table4ScaleError extends RangeError {
  /** Name shown in stack traces. */
  override name = "Table4ScaleError";

  /** An error that says what is missing. */
  constructor() {
    super(
      "Cannot reproduce table4 at the paper's scale as its heads are trained on the adapters of table1, which the runs of that " +
        "table do not keep: train an adapter on MIMIC-CXR, then a head on SIIM or RSNA",
    );
  }
}

/**
 * Reproduces tables: each planned run is carried out under each seed and leaves a JSON file. A run whose file is there with the
 * same configuration is skipped, so an interrupted reproduction goes on at the unfinished run.
 *
 * @param tables Which tables.
 * @param backend What runs the numbers.
 * @param options See {@linkcode ReproduceOptions}.
 * @throws {Deno.errors.NotFound} If the paper's scale lacks files.
 * @throws {Table4ScaleError} If table 4 is asked for at the paper's scale.
 * @throws {SyntaxError} If a record in the folder is damaged.
 */
export async function reproduce(
  tables: readonly TableName[],
  backend: BackendInfo,
  options: ReproduceOptions = {},
): Promise<ReproduceOutcome> {
  const { out = "results/reproduce", signal } = options;
  const scale = SCALES[options.scale ?? "demo"];
  if (scale.name === "paper" && tables.includes("table4")) throw new Table4ScaleError();
  const context = await openContext(scale, { data: options.data, tables });
  const outcome: ReproduceOutcome = {
    records: [],
    dense: [],
    ran: 0,
    skipped: 0,
    shared: 0,
    failed: [],
    interrupted: false,
  };
  try {
    const seeds = options.seeds ?? scale.seeds;
    const runs = plannedRuns(tables, context.encoders, seeds, await findClips(options.data));
    const planned = await pendingJobs(context, runs, { out, outcome });
    const dense = tables.includes("table4") ? await pendingTable4(context, seeds, { out, outcome }) : [];
    const jobs: Job[] = [...dense, ...planned]; // the longest first, so that no processor waits for it at the end
    const steps = await plannedSteps(context, planned.map(({ run }) => run));
    options.onPlan?.({
      runs: outcome.skipped + outcome.shared + waiting(jobs),
      done: outcome.skipped,
      shared: outcome.shared,
      steps,
    });
    const executors = makeExecutors(context, backend, { ...options, jobs: jobs.length });
    try {
      await Promise.all(executors.map((executor) => work(executor, jobs, { ...options, out, outcome })));
    } finally {
      for (const executor of executors) executor.close();
    }
    outcome.interrupted = signal?.aborted ?? false;
    const records = await readRecords(out);
    outcome.records = runs.flatMap((run) => records.filter((record) => isOf(record, run)));
    outcome.dense = (await readTable4Runs(out)).filter(({ seed }) => tables.includes("table4") && seeds.includes(seed));
    return outcome;
  } finally {
    context.close();
  }
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
function waiting(jobs: readonly Job[]): number {
  return jobs.reduce((sum, job) => sum + 1 + ("run" in job ? job.aliases.length : 0), 0);
}

function isOf(record: ReproduceRecord, run: PlannedRun): boolean {
  return record.table === run.table && record.id === run.id && record.seed === run.seed;
}

/** The runs to carry out; those that are done or can be shared with a finished one are settled here. */
async function pendingJobs(
  context: ReproduceContext,
  runs: readonly PlannedRun[],
  { out, outcome }: { out: string; outcome: ReproduceOutcome },
): Promise<TableJob[]> {
  const keyOf = (configuration: unknown, seed: number): string => `${seed} ${configurationKey(configuration)}`;
  const records = await readRecords(out);
  const finished = new Map(records.map((record) => [keyOf(record.configuration, record.seed), record]));
  const jobs = new Map<string, TableJob>();
  for (const run of runs) {
    const key = keyOf(await configurationOf(context, run), run.seed);
    const done = finished.get(key);
    const own = records.find((record) => isOf(record, run));
    if (own && keyOf(own.configuration, own.seed) === key) outcome.skipped++;
    else if (done && (!run.explain || done.explained)) await share(done, run, { out, outcome });
    else if (jobs.has(key)) jobs.get(key)!.aliases.push(run);
    else jobs.set(key, { run, key, aliases: [] });
  }
  return [...jobs.values()];
}

/** The seeds under which table 4 is to be run. */
async function pendingTable4(
  context: ReproduceContext,
  seeds: readonly number[],
  { out, outcome }: { out: string; outcome: ReproduceOutcome },
): Promise<Job[]> {
  const key = configurationKey(table4Configuration(context));
  const known = await readTable4Runs(out);
  const isDone = (seed: number): boolean =>
    known.some((run) => run.seed === seed && configurationKey(run.configuration) === key);
  outcome.skipped += seeds.filter(isDone).length;
  return seeds.filter((seed) => !isDone(seed)).map((table4Seed) => ({ table4Seed }));
}

/** Writes the record of one run under the name of another with the same configuration. */
async function share(
  record: ReproduceRecord,
  run: PlannedRun,
  { out, outcome }: { out: string; outcome: ReproduceOutcome },
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

function makeExecutors(
  context: ReproduceContext,
  backend: BackendInfo,
  options: ReproduceOptions & { jobs: number },
): Executor[] {
  const { workers = 1, jobs, signal, data } = options;
  const scale = context.scale.name;
  const count = Math.min(workers, jobs);
  // Only the wasm backend gains: a GPU is one, and BiomedCLIP twice would double the memory.
  if (count <= 1 || backend.name !== "wasm" || scale === "paper") return [localExecutor(context, backend, signal)];
  return Array.from({ length: count }, () => workerExecutor({ scale, data }, signal));
}

/** Takes jobs until none is left. */
async function work(
  executor: Executor,
  jobs: Job[],
  options: ReproduceOptions & { out: string; outcome: ReproduceOutcome },
): Promise<void> {
  const { out, outcome, signal, onStep = () => {}, note = () => {} } = options;
  for (let job = jobs.shift(); job !== undefined && !signal?.aborted; job = jobs.shift()) {
    const name = "run" in job ? `${job.run.table}/${job.run.id} seed ${job.run.seed}` : `table4 seed ${job.table4Seed}`;
    try {
      const summary = "run" in job
        ? await carryOut(executor, job, { ...options, onStep })
        : await carryOutTable4(executor, job.table4Seed, out);
      if (summary === null) return;
      outcome.ran++;
      note(`${name}: ${summary}`);
    } catch (error) {
      const message = (error as Error).message.replaceAll(/\s*\n\s*/g, " ");
      outcome.failed.push(`${name}: ${message}`);
      note(`${name} failed: ${message}`);
    }
  }
}

/** Carries out a run and writes its files; null when it was interrupted. */
async function carryOut(
  executor: Executor,
  job: TableJob,
  options: ReproduceOptions & { out: string; outcome: ReproduceOutcome; onStep: (loss: number) => void },
): Promise<string | null> {
  const { out, outcome, onStep } = options;
  const statePath = options.scale === "paper" ? await stateFile(out, job) : undefined;
  const record = await executor.run(job.run, { onStep, ...(statePath === undefined ? {} : { statePath }) });
  if (record === null) return null;
  await writeRecord(out, record);
  for (const alias of job.aliases) await share(record, alias, { out, outcome });
  if (statePath !== undefined) await removeRunState(statePath);
  return summaryOf(record);
}

async function carryOutTable4(executor: Executor, seed: number, out: string): Promise<string> {
  const run = await executor.table4(seed);
  await writeTable4Run(out, run);
  return `${run.result.rows.length} pairs of heads, ${run.result.seconds.toFixed(0)} s`;
}

/** The file of a long training's state; its name changes with the configuration, so that no other run goes on from it. */
async function stateFile(out: string, { run, key }: TableJob): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  const tag = new Uint8Array(digest).toHex().slice(0, 12);
  return join(out, run.table, `${run.id}-seed${run.seed}.${tag}.state.safetensors`);
}

function summaryOf(record: ReproduceRecord): string {
  const figures = Object.values(record.sets).map(({ auroc }) => auroc === null ? "-" : auroc.toFixed(3)).join(" / ");
  return `AUROC ${figures}${
    record.steps > 0 ? `, ${record.seconds.toFixed(1)} s for ${record.timed_steps} steps` : ""
  }`;
}
