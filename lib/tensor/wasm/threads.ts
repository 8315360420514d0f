/**
 * Threads for the kernels. tfjs's memory cannot be shared, so each job's operands are copied into a shared memory of our
 * own, where workers run the same C functions; the main thread computes its own share in tfjs's memory meanwhile.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import { compileModule } from "./module.ts";

/** Memory reserved for the operands of the workers. The system provides a page only when it is first written. */
const SHARED_PAGES = 8192; // 512 MB
const PAGE = 65536;

/** The control block: words that workers and the main thread exchange, then the arguments of the job, as doubles. */
const GENERATION = 0; // grows by one with each job, which wakes the workers
const REMAINING = 1; // chunks not taken yet: taking one is a single atomic subtraction, so none is taken twice
const CHUNK_ROWS = 2;
const FLAGS = 16; // of each chunk
const MAX_CHUNKS = 1000;
const WORDS = 1024;
const MAX_ARGS = 32;

const TODO = 0;
const DONE = 1;
const FAILED = 2;

/**
 * The worker: waits for a job, takes chunks of its rows while there are any. Text, because a worker from a file would need
 * the permission to read it. The last four arguments of a job are the result's rows, the first row and the rows of a chunk
 * (both filled in here) and the scratch (the worker's own).
 */
const WORKER_SOURCE = `
const { workerData } = require("node:worker_threads");
const { memory, control, stack, scratch } = workerData;
const kernels = new WebAssembly.Instance(workerData.module, { env: { memory } }).exports;
kernels.__stack_pointer.value = stack;
const names = Object.keys(kernels).sort();
const words = new Int32Array(control, 0, ${WORDS});
const job = new Float64Array(control, ${WORDS * 4}, ${MAX_ARGS});
for (let seen = 0;;) {
  Atomics.wait(words, ${GENERATION}, seen);
  seen = Atomics.load(words, ${GENERATION});
  for (let i; (i = Atomics.sub(words, ${REMAINING}, 1) - 1) >= 0;) {
    let flag = ${DONE};
    try {
      const [name, rows, ...args] = job.subarray(0, 2 + job[${MAX_ARGS - 1}]);
      const first = i * words[${CHUNK_ROWS}];
      kernels[names[name]](...args, first, Math.min(words[${CHUNK_ROWS}], rows - first), scratch);
    } catch {
      flag = ${FAILED};
    }
    Atomics.store(words, ${FLAGS} + i, flag);
    Atomics.notify(words, ${FLAGS} + i);
  }
}
`;

/** A job: a C function whose last arguments are the first row, the number of rows, and scratch. */
export interface Job {
  /** The C function. */
  name: string;
  /** Its arguments before those three; addresses are in the shared memory. */
  args: readonly number[];
  /** Rows in all. */
  rows: number;
  /** What a row takes here, in milliseconds. A worker that is slower (the machine is busy) is not waited for. */
  rowMs(): number;
  /** Computes some rows here instead, in tfjs's memory. */
  here(first: number, rows: number): void;
  /** Takes some rows that a worker computed out of the shared memory. */
  fetch(first: number, rows: number): void;
}

/** A number of workers with their shared memory. */
export interface ThreadPool {
  /** Threads in all, the main one included. */
  threads: number;
  /** The others. */
  workers: Worker[];
  /** The shared memory. */
  floats: Float32Array<SharedArrayBuffer>;
  /** Where operands may be put: the first byte. */
  base: number;
  /** Whether a worker is still at a chunk of the last job that was not waited for: no job can be started. */
  busy(): boolean;
  /** Gives the workers a job. `finish` takes part in it, waits for its end and must be called before the next job. */
  start(job: Job): { finish: () => void };
}

let pool: ThreadPool | undefined;
let wanted = { threads: 1, scratchBytes: 0 };
let missedMs = 0;

/** What starting a worker takes, roughly. The pool starts when it would have saved as much, so never in a short program. */
const START_MS = 150;

/** The number of threads asked for; there may be no pool yet. */
export function threadsWanted(): number {
  return wanted.threads;
}

/**
 * The pool, started if it is worth it by now.
 *
 * @param savesMs Time that the caller would save with it.
 * @returns The pool, or undefined: compute on one thread.
 */
export function threadPool(savesMs = 0): ThreadPool | undefined {
  if (pool || wanted.threads === 1) return pool;
  missedMs += savesMs;
  if (missedMs > START_MS * (wanted.threads - 1)) startPool();
  return pool;
}

/**
 * The number of threads to use: the option, else the variable ACE_THREADS (if it may be read without asking), else the
 * number of processors, at most 8 (one thread does all the copying).
 *
 * @param option What the caller asks for.
 * @returns An integer from 1.
 * @throws {RangeError} If the number asked for is not a positive integer.
 */
export function threadCount(option?: number): number {
  const readable = Deno.permissions.querySync({ name: "env", variable: "ACE_THREADS" }).state === "granted";
  const text = readable ? Deno.env.get("ACE_THREADS") : undefined;
  const asked = option ?? (text ? Number(text) : undefined);
  if (asked !== undefined && !(Number.isInteger(asked) && asked > 0)) {
    throw new RangeError(`Cannot use threads as their number must be a positive integer: current value is ${asked}`);
  }
  return asked ?? Math.min(8, navigator.hardwareConcurrency || 1);
}

/**
 * Sets the number of threads. Workers start when they are worth it; they do not keep the process alive.
 *
 * @param threads Threads in all, the main one included.
 * @param scratchBytes Scratch that each needs.
 * @param now Whether to start the workers at once. @default false
 */
export async function setThreads(threads: number, scratchBytes: number, now = false): Promise<void> {
  if (pool && pool.threads !== threads) {
    const { workers } = pool;
    pool = undefined;
    await Promise.all(workers.map((w) => w.terminate()));
  }
  wanted = { threads, scratchBytes };
  missedMs = 0;
  if (now && threads > 1 && !pool) startPool();
}

/** Starts the workers. Where that cannot be done (no memory to reserve, say), one thread goes on alone. */
function startPool(): void {
  try {
    pool = makePool(wanted.threads, wanted.scratchBytes);
  } catch {
    wanted.threads = 1;
  }
}

function makePool(threads: number, scratchBytes: number): ThreadPool {
  const { module } = compileModule({ shared: true });
  const memory = new WebAssembly.Memory({ initial: SHARED_PAGES, maximum: SHARED_PAGES, shared: true });
  const control = new SharedArrayBuffer(WORDS * 4 + MAX_ARGS * 8);
  const perWorker = PAGE + Math.ceil(scratchBytes / PAGE) * PAGE;
  const workers = Array.from({ length: threads - 1 }, (_, index) => {
    const stack = PAGE + index * perWorker + PAGE; // grows downwards; the scratch is above
    return new Worker(WORKER_SOURCE, { eval: true, workerData: { module, memory, control, stack, scratch: stack } });
  });
  for (const w of workers) {
    w.unref();
    // A worker that ends leaves its chunks to the others and to the main thread.
    w.on("error", () => {});
  }
  const names = WebAssembly.Module.exports(module).map((e) => e.name).sort();
  const buffer = memory.buffer as unknown as SharedArrayBuffer;
  const words = new Int32Array(control, 0, WORDS);
  const late = new Set<number>();
  return {
    threads,
    workers,
    floats: new Float32Array(buffer),
    base: PAGE + (threads - 1) * perWorker,
    busy: () => [...late].some((i) => Atomics.load(words, FLAGS + i) === TODO),
    start: (job) => startJob(job, { threads, control, names, late }),
  };
}

/** Rows of a chunk at least: each packs all of B again, which this many rows make up for. */
const MIN_CHUNK = 128;

interface Workers {
  threads: number;
  control: SharedArrayBuffer;
  /** Names of the C functions, in the order the workers number them. */
  names: string[];
  /** Chunks of the last job that were computed twice, as the worker was late. */
  late: Set<number>;
}

function startJob(job: Job, { threads, control, names, late }: Workers): { finish: () => void } {
  const words = new Int32Array(control, 0, WORDS);
  const slot = new Float64Array(control, WORDS * 4, MAX_ARGS);
  const least = Math.max(MIN_CHUNK, Math.ceil(job.rows / MAX_CHUNKS));
  const chunk = Math.ceil(Math.max(least, job.rows / (3 * (threads - 1))) / 4) * 4;
  const count = Math.ceil(job.rows / chunk);
  const rowsOf = (i: number): [first: number, rows: number] => [i * chunk, Math.min(chunk, job.rows - i * chunk)];
  // No chunk can be taken while this is written: none remains of the last job.
  late.clear();
  slot.set([names.indexOf(job.name), job.rows, ...job.args]);
  slot[MAX_ARGS - 1] = job.args.length;
  words[CHUNK_ROWS] = chunk;
  words.fill(TODO, FLAGS, FLAGS + count);
  Atomics.store(words, REMAINING, count);
  Atomics.add(words, GENERATION, 1);
  Atomics.notify(words, GENERATION);
  const finish = (): void => {
    const mine = new Set<number>();
    for (let i; (i = Atomics.sub(words, REMAINING, 1) - 1) >= 0;) {
      mine.add(i);
      job.here(...rowsOf(i));
    }
    for (let i = 0; i < count; i++) {
      if (mine.has(i)) continue;
      const [first, rows] = rowsOf(i);
      while (Atomics.load(words, FLAGS + i) === TODO) {
        if (Atomics.wait(words, FLAGS + i, TODO, rows * job.rowMs()) === "timed-out") break;
      }
      const flag = Atomics.load(words, FLAGS + i);
      if (flag === TODO) late.add(i);
      if (flag === DONE) job.fetch(first, rows);
      else job.here(first, rows);
    }
  };
  return { finish };
}
