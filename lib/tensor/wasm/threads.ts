/** How many threads the kernels use, and when the workers start. @module */
import { readVariable } from "../../platform/variables.ts";
import { holdFrees } from "./late_frees.ts";
import { type Blas, isShared, type WasmBackend, wasmKernels } from "./module.ts";
import { makePool, type ThreadPool } from "./pool.ts";

interface Running {
  pool: ThreadPool;
  /** What the workers were given. */
  blas: Blas | undefined;
  /** Ends the workers. */
  stop(): Promise<void>;
}

let running: Running | undefined;
let wanted: { threads: number; backend?: WasmBackend } = { threads: 1 };
let missedMs = 0;

/** What {@linkcode start} may have changed. */
const current = (): Running | undefined => running;

/** What starting a worker takes, roughly. The pool starts when it would have saved as much, so never in a short program. */
const START_MS = 150;

/**
 * The pool, started if it is worth it by now.
 *
 * @param milliseconds What the caller's work takes on one thread. @default {0}
 * @returns The pool, or undefined: compute on one thread.
 */
export function threadPool(milliseconds = 0): ThreadPool | undefined {
  const { threads } = wanted;
  if (running || threads === 1) return running?.pool;
  missedMs += milliseconds * (threads - 1) / threads;
  if (missedMs > START_MS * (threads - 1)) start();
  return current()?.pool;
}

/**
 * The number of threads to use: the option, else the variable ACE_THREADS (if it may be read without asking), else the
 * number of processors, at most 8 (more have not been measured).
 *
 * @param option What the caller asks for.
 * @returns An integer from 1.
 * @throws {RangeError} If the number asked for is not a positive integer.
 */
export function threadCount(option?: number): number {
  const text = readVariable("ACE_THREADS");
  const asked = option ?? (text ? Number(text) : undefined);
  if (asked !== undefined && !(Number.isInteger(asked) && asked > 0)) {
    const given = option ?? `"${text}" of ACE_THREADS`;
    throw new RangeError(`Cannot use threads as their number must be a positive integer: current value is ${given}`);
  }
  return asked ?? Math.min(8, navigator.hardwareConcurrency || 1);
}

/**
 * Sets the number of threads. Workers start when they are worth it, with a library for large products at once, as the permission
 * to open it may be given up; they do not keep the process alive. Without a shared memory it is one, whatever is asked for.
 *
 * @param backend tfjs's wasm backend.
 * @param threads Threads in all, the main one included.
 * @param now Whether to start the workers at once. @default {false}
 */
export async function setThreads(backend: WasmBackend, threads: number, now = false): Promise<void> {
  const shared = isShared(backend.wasm.asm.memory);
  wanted = { threads: shared ? threads : 1, backend };
  missedMs = 0;
  const { blas } = wasmKernels(backend);
  if (running && (running.pool.threads !== wanted.threads || running.blas !== blas)) await stop();
  if ((now || blas) && wanted.threads > 1 && !running) start();
  if (!blas) return;
  blas.isShared = await threadPool()?.begun() ?? false;
  const isAlone = blas.isShared || wanted.threads === 1; // never the library's threads and ours at once
  blas.useThreads(isAlone ? 1 : wanted.threads);
  const { run } = wasmKernels(backend); // inside C kernels
  run["use_blas"]!(Number(isAlone));
  run["use_exp"]!(Number(isAlone && blas.exponentials !== undefined));
}

async function stop(): Promise<void> {
  const old = running;
  running = undefined;
  await old?.stop();
}

/** Starts the workers. Where that cannot be done (no memory, say), or one of them ends, one thread goes on alone. */
function start(): void {
  const { threads, backend } = wanted;
  const giveUp = (): void => {
    wanted.threads = 1;
    void stop();
  };
  try {
    const pool = makePool(backend!, threads, giveUp);
    const restore = holdFrees(backend!.wasm, pool);
    running = {
      pool,
      blas: wasmKernels(backend!).blas,
      async stop() {
        await pool.close();
        restore();
      },
    };
  } catch {
    giveUp();
  }
}
