/** What a worker runs, and the words through which it is given jobs. @module */

import {
  BLAS_MATMUL,
  BLAS_PACKED,
  blasMatmul,
  blasPacked,
  mklProduct,
  PRODUCTS,
  repeatRow,
  threadLibrary,
} from "./blas_matmul.ts";
import { MOST_ROWS, stepBlocks, stepsProduct } from "./blas_steps.ts";
import { stripImports } from "./matmul_strips.ts";
import type { BlasLibrary, KernelModules } from "./module.ts";

/** Jobs that can be under way: one is current, in the others a late worker may still be at a chunk. */
export const SLOTS = 4;

/** Chunks of a job at most. */
export const MAX_CHUNKS = 256;

/** The head of a job's numbers: address and bytes of a worker's scratch, how many functions. */
const HEAD = 3;
/** The head of a function's: which, what it counts of each row, how many arguments, how many numbers on those in its scratch. */
const STEP_HEAD = 4;

/** Numbers of a job: the head and its functions, all of a transformer block's. */
export const MAX_NUMBERS = 320;

/** Where each word stands. Those of a slot are counted from its first. */
export const WORDS = {
  /** Grows by one with each job, which wakes the workers. */
  generation: 0,
  /** The slot of the latest job. */
  slot: 1,
  /** Workers that have begun, and those of them that opened the library. */
  begun: 2,
  opened: 3,
  /** The first slot; the words before it have a cache line of their own. */
  slots: 16,
  /** Chunks not taken yet: taking one is a single atomic subtraction, so none is taken twice. */
  remaining: 0,
  /** One for each chunk: TODO, DONE or FAILED. */
  flags: 16,
  /** The first row of each chunk, and the end. */
  bounds: 16 + MAX_CHUNKS,
  /** Words of a slot. */
  slotWords: 16 + MAX_CHUNKS + MAX_CHUNKS + 16,
} as const;

/** Words in all. */
export const WORD_COUNT = WORDS.slots + SLOTS * WORDS.slotWords;

/** A chunk that is waiting or being computed. */
export const TODO = 0;
/** A chunk that a worker has computed. */
const DONE = 1;
/** A chunk in which a worker met an error. */
export const FAILED = 2;

/** How long a thread looks for news before it sleeps: jobs follow one another, and waking takes as long. */
export const LOOK_MS = 0.2;

/**
 * A function's arguments, with those that lie in the scratch of the thread that calls it. Its own text must suffice: workers get it as
 * such.
 *
 * @param args Of such an argument, the place in the scratch.
 * @param own Two numbers for each of them: which it is, and the bytes of a row of the job. Functions count from the first row of
 * all, so the address is as far before the buffer.
 * @param first The chunk's first row.
 */
export function placeOwn(args: readonly number[], own: readonly number[], scratch: number, first: number): number[] {
  const placed = [...args];
  for (let i = 0; i < own.length; i += 2) placed[own[i]!]! += scratch - own[i + 1]! * first;
  return placed;
}

/** What a worker is given. */
export interface WorkerData {
  /** The compiled kernels. */
  modules: KernelModules;
  /** tfjs's memory. */
  memory: WebAssembly.Memory;
  /** The words, then the jobs' numbers. */
  control: SharedArrayBuffer;
  /** The end of the worker's stack, which grows downwards. */
  stack: number;
  /** Its number among the workers, from 0. */
  index: number;
  /** The library for large products. @default {none} */
  library?: BlasLibrary | undefined;
}

/**
 * The worker: waits for a job, takes chunks of its rows while there are any. For `startWorker`.
 */
export const WORKER_SOURCE = `
const { modules, memory, control, stack, index, library } = workerData;
const { strip, bits } = (${stripImports})(modules.module, modules.strips, memory);
const names = [...WebAssembly.Module.exports(modules.module).map(({ name }) => name), "${BLAS_MATMUL}", "${BLAS_PACKED}"];
const words = new Int32Array(control, 0, ${WORD_COUNT});
const numbers = new Float64Array(control, ${WORD_COUNT * 4}, ${SLOTS * MAX_NUMBERS});
let symbols, product;
try {
  if (library) {
    const { path, base, steps } = library;
    const functions = Deno.dlopen(path, ${JSON.stringify(PRODUCTS)}).symbols;
    product = steps
      ? (${stepsProduct})(Deno.dlopen(path, steps.symbols).symbols, { base, terms: steps.terms, mostRows: ${MOST_ROWS}, blocksOf: ${stepBlocks} })
      : (${mklProduct})(functions, base);
    symbols = functions;
  }
} catch {
  // The main thread hears of it by the number of those that opened it.
}
const { exponentials, ...products } = symbols ? (${threadLibrary})(symbols, library.base) : { sgemm() {}, sums() {} };
const blas = { ...products, ...exponentials ?? { exp() {}, greatest() {} } };
const kernels = { ...new WebAssembly.Instance(modules.module, { env: { memory }, strip, blas }).exports };
kernels.use_strips(bits);
kernels.__stack_pointer.value = stack;
if (symbols) {
  kernels.use_blas(1);
  kernels.use_exp(Number(exponentials !== undefined));
  kernels.${BLAS_MATMUL} = (${blasMatmul})(symbols, library.base, memory, ${repeatRow});
  kernels.${BLAS_PACKED} = (${blasPacked})(product);
  Atomics.add(words, ${WORDS.opened}, 1);
}
Atomics.add(words, ${WORDS.begun}, 1);
Atomics.notify(words, ${WORDS.begun});
const look = (seen) => {
  const end = performance.now() + ${LOOK_MS};
  while (Atomics.load(words, ${WORDS.generation}) === seen && performance.now() < end);
};
const placeOwn = ${placeOwn};
const compute = (start, chunk, job) => {
  const [scratch, bytes, steps] = job;
  const first = words[start + ${WORDS.bounds} + chunk];
  const rows = words[start + ${WORDS.bounds} + chunk + 1] - first;
  for (let step = 0, at = ${HEAD}; step < steps; step++) {
    const [name, perRow, count, ownCount] = job.subarray(at, at += ${STEP_HEAD});
    const args = placeOwn(job.subarray(at, at += count), job.subarray(at, at += ownCount), scratch + index * bytes, first);
    kernels[names[name]](...args, first * perRow, rows * perRow, scratch + index * bytes);
  }
};
for (let seen = 0;;) {
  look(seen);
  Atomics.wait(words, ${WORDS.generation}, seen);
  seen = Atomics.load(words, ${WORDS.generation});
  const slot = Atomics.load(words, ${WORDS.slot});
  const start = ${WORDS.slots} + slot * ${WORDS.slotWords};
  for (let chunk; (chunk = Atomics.sub(words, start + ${WORDS.remaining}, 1) - 1) >= 0;) {
    let flag = ${DONE};
    try {
      compute(start, chunk, numbers.subarray(slot * ${MAX_NUMBERS}, (slot + 1) * ${MAX_NUMBERS}));
    } catch {
      flag = ${FAILED};
    }
    Atomics.store(words, start + ${WORDS.flags} + chunk, flag);
    Atomics.notify(words, start + ${WORDS.flags} + chunk);
  }
}
`;
