/** Runs a C function over rows, with all threads where that is worth it. @module */
import { chunkBounds, evenBounds } from "./chunks.ts";
import { moveTensor } from "./late_frees.ts";
import type { TensorInfo } from "../kernels/info.ts";
import { addressOf, type WasmBackend, wasmKernels } from "./module.ts";
import type { PoolStep } from "./pool.ts";
import { threadPool } from "./threads.ts";
import { placeOwn } from "./worker.ts";

/** An address inside a tensor of four bytes an element. */
export interface Inner {
  of: TensorInfo;
  /** Elements before it. */
  floats: number;
}

/** A buffer that each thread has of its own, for what lies between the functions of a job; it has as many rows as a chunk. */
export interface Own {
  /** The bytes of a row of all such buffers that stand before it. */
  own: number;
  /** Bytes of a row of the job. */
  rowBytes: number;
}

/** Where a function reads or writes. */
export type Place = TensorInfo | Inner | Own;

/** One function of a job. */
export interface RowStep {
  /** The C function: its last arguments are the first row, the number of rows, and scratch. */
  name: string;
  /** Its arguments before those; tensors and buffers stand for their addresses. */
  args: readonly (number | Place)[];
  /** Elements of a row, for a function that counts elements. @default {1} */
  perRow?: number;
}

/** Work whose rows (or elements, or columns) can be computed in any order, each with the same bits wherever it is. */
export interface RowJob extends RowStep {
  /** Functions that follow: some rows pass through all of them, in the caches, before the next. @default {none} */
  then?: readonly RowStep[];
  /** Those of the tensors that are written, all of four bytes an element. */
  results: readonly TensorInfo[];
  /** Rows in all. */
  rows: number;
  /** What it takes on one thread, in milliseconds: roughly, as it only decides on threads. */
  milliseconds: number;
  /** Rows given to a thread at a time are a multiple of this. @default {1} */
  grain?: number;
  /** Rows given to a thread at a time, roughly: chunks of one size, as many for each thread. @default {none: see `least`} */
  chunk?: number | undefined;
  /** Rows given to a thread at a time at least. @default {as many as take 0.05 ms} */
  least?: number | undefined;
  /** Whether each thread gets one part, all of a size, as every part has costs of its own. @default {false} */
  isEven?: boolean;
  /** Whether a row may be computed once only, as its results are among what it reads: a late thread is waited for. @default {false} */
  isInPlace?: boolean;
  /** Scratch that a thread needs, bytes. @default {0} */
  scratchBytes?: number;
  /** Bytes of a row of a thread's own buffers. @default {0} */
  ownBytes?: number;
}

/** A job below this is not worth the 10 to 50 microseconds that a worker takes to begin and to report. */
const WORTH_MS = 0.15;
const CHUNK_MS = 0.05;
const LINE_BYTES = 64;

/**
 * Computes all rows. The bits are the same on any number of threads.
 *
 * @param backend tfjs's wasm backend.
 * @param job The work.
 */
export function runRows(backend: WasmBackend, job: RowJob): void {
  const { rows, milliseconds, ownBytes = 0, isInPlace = false } = job;
  const kernels = wasmKernels(backend);
  const pool = milliseconds < WORTH_MS ? undefined : threadPool(milliseconds);
  const rowMs = milliseconds / rows;
  const bounds = boundsOf(job, pool?.threads);
  const most = ownBytes && Math.max(...bounds.slice(1).map((end, i) => end - bounds[i]!));
  const ownFrom = Math.ceil((job.scratchBytes ?? 0) / LINE_BYTES) * LINE_BYTES;
  const scratchBytes = ownFrom + ownBytes * most;
  const scratch = scratchBytes > 0 ? kernels.scratch(scratchBytes) : 0;
  const address = (a: number | Place): number =>
    typeof a === "number"
      ? a
      : "own" in a
      ? ownFrom + a.own * most
      : "of" in a
      ? addressOf(backend, a.of) + 4 * a.floats
      : addressOf(backend, a);
  const placed = (): PoolStep[] =>
    [job, ...(job.then ?? [])].map(({ name, args, perRow = 1 }) => ({
      name,
      args: args.map(address),
      own: args.flatMap((a, i) => typeof a === "object" && "own" in a ? [i, a.rowBytes] : []),
      perRow,
    }));
  const compute = (steps: readonly PoolStep[], first: number, count: number): void => {
    for (const { name, args, own, perRow } of steps) {
      kernels.run[name]!(...placeOwn(args, own, scratch, first), first * perRow, count * perRow, scratch);
    }
  };
  const steps = placed();
  const here = (first: number, count: number): void => compute(steps, first, count);
  const late = pool && bounds.length > 2
    ? pool.run({ steps, bounds, scratchBytes, rowMs, here, isInPlace })
    : undefined;
  if (!late) { // by chunks all the same: the bits of a library's products depend on them
    for (let i = bounds.length - 1; i > 0; i--) here(bounds[i - 1]!, bounds[i]! - bounds[i - 1]!);
    return;
  }
  if (late.length === 0) return;
  try {
    for (const tensor of job.results) moveTensor(backend, tensor);
  } catch {
    pool!.settle(); // no memory to move to
  }
  const moved = placed();
  for (const [first, count] of late) compute(moved, first, count);
}

/** The first row of each chunk, and the end. */
function boundsOf(job: RowJob, threads: number | undefined): number[] {
  const { rows, grain = 1, chunk } = job;
  if (chunk) return evenBounds(rows, chunk, threads ?? 1, grain);
  return threads ? chunkBounds(rows, leastOf(job, threads), grain, threads) : [0, rows];
}

function leastOf({ rows, milliseconds, least = 1, isEven = false }: RowJob, threads: number): number {
  return isEven ? rows / threads : Math.max(least, CHUNK_MS * rows / milliseconds);
}

/** Work on elements: a {@linkcode RowJob} whose rows are elements, with their number and how many take a millisecond. */
export type ElementJob = Pick<RowJob, "name" | "args" | "results" | "isInPlace"> & { size: number; perMs: number };

/** Elements given to a thread at a time are a multiple of this: whole cache lines, and pages. */
const ELEMENTS = 1024;

/**
 * Computes all elements; see {@linkcode runRows}.
 *
 * @param backend tfjs's wasm backend.
 * @param job The work.
 */
export function runElements(backend: WasmBackend, { size, perMs, ...job }: ElementJob): void {
  runRows(backend, { ...job, rows: size, milliseconds: size / perMs, grain: ELEMENTS });
}
