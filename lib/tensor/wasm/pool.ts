/** Workers that run the C kernels in tfjs's own memory, each job's rows shared out in chunks. @module */
import { startWorker } from "../../platform/worker.ts";
import { BLAS_MATMUL, BLAS_PACKED } from "./blas_matmul.ts";
import { allocate, STACK_BYTES, type WasmBackend, wasmKernels } from "./module.ts";
import {
  FAILED,
  LOOK_MS,
  MAX_NUMBERS,
  SLOTS,
  TODO,
  WORD_COUNT,
  WORDS,
  WORKER_SOURCE,
  type WorkerData,
} from "./worker.ts";

/** A C function whose last arguments are the first row, the number of rows, and scratch. */
export interface PoolStep {
  /** The C function. */
  name: string;
  /** Its arguments before those three. */
  args: readonly number[];
  /** Those that lie in the thread's scratch: see `placeOwn` of worker.ts. */
  own: readonly number[];
  /** What it counts of each row. */
  perRow: number;
}

/** A job: functions that a chunk of its rows passes through one after the other. */
export interface PoolJob {
  /** The functions. */
  steps: readonly PoolStep[];
  /** The first row of each chunk, and the end. */
  bounds: readonly number[];
  /** Scratch that a thread needs, bytes. */
  scratchBytes: number;
  /** What a row takes here, roughly, in milliseconds; measured if a chunk is computed here. */
  rowMs: number;
  /** Whether late chunks must be waited for. @default {false} */
  isInPlace?: boolean;
  /** Computes some rows on the main thread. */
  here(first: number, rows: number): void;
}

/** A worker that has not begun by then is taken for one that will not. */
const BEGIN_MS = 10_000;
const LOOK_AGAIN_MS = 2;

/** Some rows. */
export type Rows = readonly [first: number, count: number];

/** A number of workers. */
export interface ThreadPool {
  /** Threads in all, the main one included. */
  threads: number;
  /**
   * How long a chunk is waited for, as a multiple of what computing it here would take. @default {1}
   */
  patience: number;
  /** Waits for the workers to begin, and tells whether all of them have opened the library for large products. */
  begun(): Promise<boolean>;
  /**
   * Runs a job, the main thread taking part.
   *
   * @returns The rows whose worker was late (the machine is busy) and may still be at them, or undefined if the job could
   * not be begun: there are too many such already, it has more numbers than a slot, or the workers' scratch no memory.
   */
  run(job: PoolJob): Rows[] | undefined;
  /** Whether some worker is late: what its job reads and writes must stay. */
  late(): boolean;
  /** Waits for those. */
  settle(): void;
  /** Ends the workers and frees what they had. */
  close(): Promise<void>;
}

/**
 * Starts workers. They do not keep the process alive.
 *
 * @param backend tfjs's wasm backend, in a shared memory.
 * @param threads Threads in all, the main one included.
 * @param onEnd Called if a worker ends of itself.
 * @returns The pool.
 * @throws {MemoryLimitError} If there is no memory for their stacks.
 */
export function makePool(backend: WasmBackend, threads: number, onEnd: () => void): ThreadPool {
  const { wasm } = backend;
  const { memory } = wasm.asm;
  const { modules, blas } = wasmKernels(backend);
  const control = new SharedArrayBuffer(WORD_COUNT * 4 + SLOTS * MAX_NUMBERS * 8);
  const words = new Int32Array(control, 0, WORD_COUNT);
  const numbers = new Float64Array(control, WORD_COUNT * 4);
  const names = [...WebAssembly.Module.exports(modules.module).map(({ name }) => name), BLAS_MATMUL, BLAS_PACKED];
  const stacks = allocate(backend, (threads - 1) * STACK_BYTES);
  const workers = Array.from({ length: threads - 1 }, (_, index) => {
    const stack = (stacks + (index + 1) * STACK_BYTES) & ~15;
    const workerData: WorkerData = { modules, memory, control, stack, index, library: blas?.library };
    return startWorker(WORKER_SOURCE, workerData, onEnd);
  });
  const scratch = workerScratch(backend, workers.length);
  const slots = jobSlots(words);
  const pool: ThreadPool = {
    threads,
    patience: 1,
    begun: () => haveBegun(words, workers.length),
    run(job) {
      const encoded = encodeSteps(job.steps, names);
      const slot = slots.free();
      if (slot < 0 || encoded.length + 2 > MAX_NUMBERS || !scratch.reserve(job.scratchBytes)) return undefined;
      numbers.set([scratch.address, scratch.bytes, ...encoded], slot * MAX_NUMBERS);
      publish(words, slot, job.bounds);
      const late = takePart(words, slot, job, pool.patience);
      slots.late[slot] = [...late];
      return late.map((chunk) => rowsOf(job, chunk));
    },
    late: () => slots.late.some((_, slot) => !slots.isFree(slot)),
    settle() {
      for (const [slot, chunks] of slots.late.entries()) {
        for (const chunk of chunks) awaitFlag(words, flagOf(slot, chunk), Infinity);
      }
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.terminate()));
      for (const chunks of slots.late) chunks.length = 0;
      wasm._free(stacks);
      scratch.free();
    },
  };
  return pool;
}

/** The words that workers and main thread share. */
type Words = Int32Array<SharedArrayBuffer>;

/** Whether all workers have begun, and opened the library. */
async function haveBegun(words: Words, workers: number): Promise<boolean> {
  // Looked at again and again: a wait for the word neither keeps the process alive nor always wakes it.
  for (const end = performance.now() + BEGIN_MS; Atomics.load(words, WORDS.begun) < workers;) {
    if (performance.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
  return Atomics.load(words, WORDS.opened) === workers;
}

/** Scratch of the workers, as many bytes for each. */
interface WorkerScratch {
  address: number;
  bytes: number;
  /** Makes it at least so large, if there is memory for that. */
  reserve(bytes: number): boolean;
  free(): void;
}

function workerScratch({ wasm }: WasmBackend, workers: number): WorkerScratch {
  const scratch: WorkerScratch = {
    address: 0,
    bytes: 0,
    reserve(bytes) {
      if (bytes <= scratch.bytes) return true;
      const address = wasm.asm.malloc(bytes * workers) >>> 0; // without it the main thread does the job
      if (address === 0) return false;
      scratch.free();
      Object.assign(scratch, { address, bytes });
      return true;
    },
    free() {
      if (scratch.address) wasm._free(scratch.address);
    },
  };
  return scratch;
}

/** Where jobs are given to the workers. */
interface JobSlots {
  /** Chunks of each slot's job that were not waited for. */
  late: number[][];
  /** Whether no worker is still at a slot's job. */
  isFree(slot: number): boolean;
  /** A slot that is free; below 0 if none is. */
  free(): number;
}

function jobSlots(words: Words): JobSlots {
  const late = Array.from({ length: SLOTS }, (): number[] => []);
  const isFree = (slot: number): boolean => {
    const chunks = late[slot]!;
    while (chunks.length > 0 && Atomics.load(words, flagOf(slot, chunks.at(-1)!)) !== TODO) chunks.pop();
    return chunks.length === 0;
  };
  return { late, isFree, free: () => late.findIndex((_, slot) => isFree(slot)) };
}

function flagOf(slot: number, chunk: number): number {
  return WORDS.slots + slot * WORDS.slotWords + WORDS.flags + chunk;
}

function rowsOf({ bounds }: PoolJob, chunk: number): Rows {
  return [bounds[chunk]!, bounds[chunk + 1]! - bounds[chunk]!];
}

/** The steps as the workers read them, functions by their places among `names`. */
function encodeSteps(steps: readonly PoolStep[], names: readonly string[]): number[] {
  return [
    steps.length,
    ...steps.flatMap(({ name, args, own, perRow }) => [
      ...[names.indexOf(name), perRow, args.length, own.length],
      ...[...args, ...own],
    ]),
  ];
}

/** Gives the workers a job, all of whose words are written before the first chunk can be taken. */
function publish(words: Words, slot: number, bounds: readonly number[]): void {
  const word = WORDS.slots + slot * WORDS.slotWords;
  words.set(bounds, word + WORDS.bounds);
  words.fill(TODO, word + WORDS.flags, word + WORDS.flags + bounds.length - 1);
  Atomics.store(words, word + WORDS.remaining, bounds.length - 1);
  Atomics.store(words, WORDS.slot, slot);
  Atomics.add(words, WORDS.generation, 1);
  Atomics.notify(words, WORDS.generation);
}

/** Computes chunks here until none is left, and waits for the others as long as is worth it; those that are late. */
function takePart(words: Words, slot: number, job: PoolJob, patience: number): number[] {
  const remaining = WORDS.slots + slot * WORDS.slotWords + WORDS.remaining;
  const mine = new Set<number>();
  let { rowMs } = job;
  const start = performance.now();
  let computed = 0;
  for (let chunk; (chunk = Atomics.sub(words, remaining, 1) - 1) >= 0;) {
    const [first, rows] = rowsOf(job, chunk);
    job.here(first, rows);
    mine.add(chunk);
    computed += rows;
  }
  if (computed > 0) rowMs = (performance.now() - start) / computed;
  const late: number[] = [];
  for (let chunk = job.bounds.length - 2; chunk >= 0; chunk--) {
    if (mine.has(chunk)) continue;
    const [first, rows] = rowsOf(job, chunk);
    const flag = awaitFlag(words, flagOf(slot, chunk), job.isInPlace ? Infinity : patience * rows * rowMs);
    if (flag === TODO) late.push(chunk);
    if (flag === FAILED) job.here(first, rows);
  }
  return late;
}

/** Whether this thread may sleep: a browser's window may not. */
const mayBlock = !("document" in globalThis);

/** Waits for a chunk's flag, so many milliseconds at most: looks first, as sleeping and waking take longer than most waits. */
function awaitFlag(words: Words, word: number, milliseconds: number): number {
  const start = performance.now();
  const left = (): number => milliseconds - (performance.now() - start);
  while (Atomics.load(words, word) === TODO && milliseconds - left() < LOOK_MS && left() > 0);
  while (Atomics.load(words, word) === TODO && left() > 0) if (mayBlock) Atomics.wait(words, word, TODO, left());
  return Atomics.load(words, word);
}
