/** Carries out the runs of tables, each once. @module */
import { join } from "@std/path";
import type { BackendInfo } from "../tensor/backend.ts";
import { removeRunState } from "../train/state.ts";
import { configurationOf, openContext, type ReproduceContext } from "./context.ts";
import { findClips } from "./clip.ts";
import { type Estimate, estimate } from "./estimate.ts";
import { type Executor, localExecutor, workerExecutor } from "./executor.ts";
import { readRecords, readTable4Runs, writeRecord, writeTable4Run } from "./files.ts";
import {
  distinctJobs,
  isOf,
  type Job,
  pendingJobs,
  plannedSteps,
  share,
  stateFile,
  type TableJob,
  trainedRuns,
  waiting,
} from "./jobs.ts";
import { keptAdapterPath } from "./kept_adapters.ts";
import type { TableName } from "./plan.ts";
import type { ReproduceRecord } from "./record.ts";
import { DEPARTURE_RULES, type Departures, type ScaleName, SCALES, withDepartures } from "./scale.ts";
import type { WasmOptions } from "../tensor/wasm/init.ts";
import { keysOf } from "../platform/known_keys.ts";
import { defined } from "../platform/defined.ts";
import { errorMessage } from "../platform/error_message.ts";
import { plannedRuns } from "./tables/registry.ts";
import type { Table4Run } from "./tables/table4/run.ts";
import { CALL, checkOptions, COUNT, NUMBERS, oneOf, RECORD, type Rules, TEXT, TEXTS } from "../platform/options.ts";

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
  /** The native library that workers look for. @default {as a new process does} */
  wasm?: Pick<WasmOptions, "blas">;
  /** Stops after the steps under way. */
  signal?: AbortSignal;
  /** Called when the work is known. */
  onPlan?: (plan: ReproducePlan) => void | Promise<void>;
  /** Called after each training step of any run. */
  onStep?: (loss: number) => void;
  /** Takes a line when something is done. */
  note?: (text: string) => void;
}

/** What they must be. */
export const REPRODUCE_RULES: Rules<ReproduceOptions> = {
  ...DEPARTURE_RULES,
  scale: oneOf(keysOf(SCALES)),
  seeds: NUMBERS,
  data: TEXT,
  generalist: TEXT,
  out: TEXT,
  methods: TEXTS,
  part: RECORD,
  cache: TEXT,
  workers: COUNT,
  wasm: RECORD,
  signal: RECORD,
  onPlan: CALL,
  onStep: CALL,
  note: CALL,
};

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
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function reproduce(
  tables: readonly TableName[],
  backend: BackendInfo,
  options: ReproduceOptions = {},
): Promise<ReproduceOutcome> {
  checkOptions("reproduce", options, REPRODUCE_RULES);
  const { out = "results/reproduce", data, generalist, methods, note } = options;
  const scale = withDepartures(SCALES[options.scale ?? "demo"], options);
  const cache = options.cache ?? (scale.name === "paper" ? join(out, "pixels") : undefined);
  const context = await openContext(scale, { data, tables, cache, generalist, note });
  try {
    const seeds = options.seeds ?? scale.seeds;
    const runs = plannedRuns(tables, context.encoders, seeds, await findClips(data))
      .filter(({ method }) => methods?.includes(method) ?? true);
    const isDense = tables.includes("table4");
    if (runs.length === 0 && !isDense) {
      throw new RangeError(
        `Cannot reproduce ${tables.join(", ")} as a run must be left: none is of the methods ${methods?.join(", ")}`,
      );
    }
    const jobs = await distinctJobs(context, runs, isDense ? seeds : []);
    const outcome = await workOff(jobs, context, backend, { ...options, out });
    const records = await readRecords(out);
    outcome.records = runs.flatMap((run) => records.filter((record) => isOf(record, run)));
    outcome.dense = (await readTable4Runs(out)).filter(({ seed }) => isDense && seeds.includes(seed));
    return outcome;
  } finally {
    await context.close();
  }
}

/** Carries out this process's part of the jobs, those that are not done yet. */
async function workOff(
  all: readonly Job[],
  context: ReproduceContext,
  backend: BackendInfo,
  options: ReproduceOptions & { out: string },
): Promise<ReproduceOutcome> {
  const { out, methods, part = { index: 0, count: 1 } } = options;
  const outcome: ReproduceOutcome = {
    records: [],
    dense: [],
    ran: 0,
    skipped: 0,
    shared: 0,
    failed: [],
    interrupted: false,
  };
  // Parts are drawn before what is done is looked for: each process of an array comes to the same ones.
  const jobs = all.filter((_, i) => i % part.count === part.index);
  const pending = await pendingJobs(context, jobs, { out, outcome, methods });
  await options.onPlan?.(await planOf(context, pending, outcome, { out, methods }));
  const executors = makeExecutors(context, backend, { ...options, jobs: pending.length });
  try {
    await Promise.all(executors.map((executor) => work(executor, pending, { ...options, context, outcome })));
  } finally {
    for (const executor of executors) executor.close();
  }
  outcome.interrupted = options.signal?.aborted ?? false;
  return outcome;
}

async function planOf(
  context: ReproduceContext,
  pending: readonly Job[],
  { skipped, shared }: ReproduceOutcome,
  options: { out: string; methods: readonly string[] | undefined },
): Promise<ReproducePlan> {
  const trained = await trainedRuns(context, pending, options);
  const steps = await plannedSteps(context, trained);
  const isEstimated = context.scale.name === "paper" && pending.length > 0;
  const isDense = pending.some((job) => !("run" in job));
  return {
    runs: skipped + shared + waiting(pending),
    done: skipped,
    shared,
    steps,
    ...(isEstimated ? { estimate: await estimate(context, { trained, steps, isDense }) } : {}),
  };
}

function makeExecutors(
  context: ReproduceContext,
  backend: BackendInfo,
  options: ReproduceOptions & { jobs: number },
): Executor[] {
  const { workers = 1, jobs, signal, data, generalist, wasm } = options;
  const { name: scale, departures } = context.scale;
  const count = Math.min(workers, jobs);
  // Only the wasm backend gains: a GPU is one, and BiomedCLIP twice would double the memory.
  if (count <= 1 || backend.name !== "wasm" || scale === "paper") return [localExecutor(context, backend, signal)];
  return Array.from({ length: count }, () => workerExecutor({ scale, departures, data, generalist, wasm }, signal));
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
      const message = errorMessage(error).replaceAll(/\s*\n\s*/g, " ");
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
    ...defined({ statePath, adapterPath }),
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

function summaryOf(record: ReproduceRecord): string {
  const figures = Object.values(record.sets).map(({ auroc }) => auroc === null ? "-" : auroc.toFixed(3)).join(" / ");
  return `AUROC ${figures}${
    record.steps > 0 ? `, ${record.seconds.toFixed(1)} s for ${record.timed_steps} steps` : ""
  }`;
}
