/** Carries out the runs of tables, each once: done ones are skipped, equal ones shared. @module */
import { exists } from "../io/files.ts";
import { join } from "@std/path";
import type { BackendInfo } from "../tensor/backend.ts";
import { configurationOf, openContext, type ReproduceContext } from "./context.ts";
import { findClips } from "./clip.ts";
import { type Executor, localExecutor, workerExecutor } from "./executor.ts";
import { readRecords, readTable4Runs, recordPath, writeRecord, writeTable4Run } from "./files.ts";
import type { PlannedRun, TableName } from "./plan.ts";
import { configurationKey, type ReproduceRecord } from "./record.ts";
import { type Departures, type ScaleName, SCALES, withDepartures } from "./scale.ts";
import { type Estimate, estimate } from "./estimate.ts";
import { keptAdapterPath, shortTag } from "./kept_adapters.ts";
import { paperTable4Configuration, table4Runs } from "./table4_paper.ts";
import { table4Configuration, type Table4Run } from "./table4_run.ts";
import { plannedRuns } from "./tables/registry.ts";
import { removeRunState } from "../train/state.ts";

/** Options of {@linkcode reproduce}. */
export interface ReproduceOptions extends Departures {
  /** Sizes and settings. @default {"demo"} */
  scale?: ScaleName;
  /** Seeds. @default {the scale's} */
  seeds?: readonly number[];
  /** Folder with the real sets and weights. @default {none} */
  data?: string;
  /** Weights to adapt at the smaller scales. @default {the shipped mini_joint.safetensors} */
  generalist?: string;
  /** Folder of the records. @default {"results/reproduce"} */
  out?: string;
  /** Methods whose runs are carried out. @default {all} */
  methods?: readonly string[];
  /** Carries out only this share of the runs, `index` of 0 to `count - 1`: each process of an array one. @default {all} */
  part?: { index: number; count: number };
  /** Folder of the pixel cache that all runs read through, at the paper's scale. @default {"pixels" in `out`} */
  cache?: string;
  /** Runs carried out at a time, each in a worker; 1 stays in this thread. @default {1} */
  workers?: number;
  /** Stops after the steps under way. */
  signal?: AbortSignal;
  /** Called when the work is known. */
  onPlan?: (plan: ReproducePlan) => void | Promise<void>;
  /** Called after each training step of any run. */
  onStep?: (loss: number) => void;
  /** Takes a line when something is done. */
  note?: (text: string) => void;
}

/** The work ahead. */
export interface ReproducePlan {
  /** Runs, those done before among them. */
  runs: number;
  /** Done before. */
  done: number;
  /** Shared with another table's. */
  shared: number;
  /** Training steps ahead. */
  steps: number;
  /** What it takes; at the paper's scale only, where something is to be done. */
  estimate?: Estimate;
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

/**
 * Reproduces tables: each planned run is carried out under each seed and leaves a JSON file. A run whose file is there with the
 * same configuration is skipped, so an interrupted reproduction goes on at the unfinished run.
 *
 * @param tables Which tables.
 * @param backend What runs the numbers.
 * @param options See {@linkcode ReproduceOptions}.
 * @throws {Deno.errors.NotFound} If the paper's scale lacks files.
 * @throws {RangeError} If no run is left of those asked for.
 * @throws {SyntaxError} If a record in the folder is damaged.
 */
export async function reproduce(
  tables: readonly TableName[],
  backend: BackendInfo,
  options: ReproduceOptions = {},
): Promise<ReproduceOutcome> {
  const { out = "results/reproduce", signal } = options;
  const scale = withDepartures(SCALES[options.scale ?? "demo"], options);
  const isPaper = scale.name === "paper";
  const cache = options.cache ?? (isPaper ? join(out, "pixels") : undefined);
  const context = await openContext(scale, { data: options.data, tables, cache, generalist: options.generalist });
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
    const { methods, part = { index: 0, count: 1 } } = options;
    const runs = plannedRuns(tables, context.encoders, seeds, await findClips(options.data))
      .filter(({ method }) => methods?.includes(method) ?? true);
    const isDense = tables.includes("table4");
    if (runs.length === 0 && !isDense) {
      throw new RangeError(
        `Cannot reproduce ${tables.join(", ")} as a run must be left: none is of the methods ${methods?.join(", ")}`,
      );
    }
    // Parts are drawn before what is done is looked for: each process of an array comes to the same ones.
    const jobs = (await distinctJobs(context, runs, isDense ? seeds : []))
      .filter((_, i) => i % part.count === part.index);
    const pending = await pendingJobs(context, jobs, { out, outcome, methods });
    const trained = await trainedRuns(context, pending, { out, methods });
    const steps = await plannedSteps(context, trained);
    await options.onPlan?.({
      runs: outcome.skipped + outcome.shared + waiting(pending),
      done: outcome.skipped,
      shared: outcome.shared,
      steps,
      ...(isPaper && pending.length > 0
        ? { estimate: await estimate(context, { trained, steps, isDense: pending.some((job) => !("run" in job)) }) }
        : {}),
    });
    const executors = makeExecutors(context, backend, { ...options, jobs: pending.length });
    try {
      await Promise.all(executors.map((executor) => work(executor, pending, { ...options, context, out, outcome })));
    } finally {
      for (const executor of executors) executor.close();
    }
    outcome.interrupted = signal?.aborted ?? false;
    const records = await readRecords(out);
    outcome.records = runs.flatMap((run) => records.filter((record) => isOf(record, run)));
    outcome.dense = (await readTable4Runs(out)).filter(({ seed }) => isDense && seeds.includes(seed));
    return outcome;
  } finally {
    await context.close();
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

/** The runs that are trained; at the paper's scale table 4 adds those whose adapters are neither kept nor trained by another. */
async function trainedRuns(
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
async function distinctJobs(
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
async function pendingJobs(
  context: ReproduceContext,
  jobs: readonly Job[],
  { out, outcome, methods }: { out: string; outcome: ReproduceOutcome; methods?: readonly string[] | undefined },
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
  const { workers = 1, jobs, signal, data, generalist } = options;
  const { name: scale, departures } = context.scale;
  const count = Math.min(workers, jobs);
  // Only the wasm backend gains: a GPU is one, and BiomedCLIP twice would double the memory.
  if (count <= 1 || backend.name !== "wasm" || scale === "paper") return [localExecutor(context, backend, signal)];
  return Array.from({ length: count }, () => workerExecutor({ scale, departures, data, generalist }, signal));
}

/** Takes jobs until none is left. */
async function work(
  executor: Executor,
  jobs: Job[],
  options: ReproduceOptions & { context: ReproduceContext; out: string; outcome: ReproduceOutcome },
): Promise<void> {
  const { out, outcome, signal, onStep = () => {}, note = () => {} } = options;
  for (let job = jobs.shift(); job !== undefined && !signal?.aborted; job = jobs.shift()) {
    const name = "run" in job ? `${job.run.table}/${job.run.id} seed ${job.run.seed}` : `table4 seed ${job.table4Seed}`;
    try {
      const summary = "run" in job
        ? await carryOut(executor, job, { ...options, onStep })
        : await carryOutTable4(executor, job.table4Seed, { out, methods: options.methods, onStep, note });
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
  options: ReproduceOptions & {
    context: ReproduceContext;
    out: string;
    outcome: ReproduceOutcome;
    onStep: (loss: number) => void;
  },
): Promise<string | null> {
  const { out, outcome, onStep, context } = options;
  const isPaper = options.scale === "paper";
  const statePath = isPaper ? await stateFile(out, job) : undefined;
  const adapterPath = isPaper
    ? await keptAdapterPath(out, job.run, await configurationOf(context, job.run))
    : undefined;
  const record = await executor.run(job.run, {
    onStep,
    ...(statePath === undefined ? {} : { statePath }),
    ...(adapterPath === undefined ? {} : { adapterPath }),
  });
  if (record === null) return null;
  await writeRecord(out, record);
  for (const alias of job.aliases) await share(record, alias, { out, outcome });
  if (statePath !== undefined) await removeRunState(statePath);
  return summaryOf(record);
}

async function carryOutTable4(
  executor: Executor,
  seed: number,
  options: Parameters<Executor["table4"]>[1],
): Promise<string | null> {
  const run = await executor.table4(seed, options);
  if (run === null) return null;
  await writeTable4Run(options.out, run);
  return `${run.result.rows.length} pairs of heads, ${run.result.seconds.toFixed(0)} s`;
}

/** The file of a long training's state; its name changes with the configuration, so that no other run goes on from it. */
async function stateFile(out: string, { run, key }: TableJob): Promise<string> {
  return join(out, run.table, `${run.id}-seed${run.seed}.${await shortTag(key)}.state.safetensors`);
}

function summaryOf(record: ReproduceRecord): string {
  const figures = Object.values(record.sets).map(({ auroc }) => auroc === null ? "-" : auroc.toFixed(3)).join(" / ");
  return `AUROC ${figures}${
    record.steps > 0 ? `, ${record.seconds.toFixed(1)} s for ${record.timed_steps} steps` : ""
  }`;
}
