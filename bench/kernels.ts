/**
 * The C kernels of a run, each with its time and its bound: what the processor needs for its operations or its bytes at least.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { allocate, type WasmBackend, type WasmKernels, wasmKernels } from "../lib/tensor/wasm/module.ts";
import type { PoolStep } from "../lib/tensor/wasm/pool.ts";
import { threadPool } from "../lib/tensor/wasm/threads.ts";
import { peakRun } from "./pieces.ts";

/** What a call has to do. */
interface Cost {
  /** Operations in matrix products, a multiply-add as two. */
  flop?: number;
  /** Other arithmetic on floats: vector instructions times four, a division as eight. */
  lanes?: number;
  /** Floats read and written, each once. */
  floats: number;
  /** Milliseconds of what was measured by itself, of all threads. */
  measured?: number;
}

type Cost4 = (args: readonly number[], rows: number, rates: Rates) => Cost;

/** Instructions an element, counted in the C. */
const LANES = {
  gelu: 18,
  geluGrad: 28,
  norm: 11,
  normGrad: 13,
  softmax: 9,
  scoreGrad: 4,
  exp: 14,
  dropout: 16,
  keptMask: 5,
  adamw: 24,
};

const perElement = (lanes: number, floats: number): Cost4 => (_, count) => ({
  lanes: lanes * count,
  floats: floats * count,
});
const masked = (scale: number | undefined): number => scale ? LANES.dropout : 0;
const kept = (words: number | undefined): number => words ? LANES.keptMask : 0;

/** By the C function, from its arguments. */
const COSTS: Readonly<Record<string, Cost4>> = {
  blas_packed: ([m, n, k, , , part1], rows) => product(part1 ? m! : rows, n!, k!),
  blas_matmul: ([, batch, m, n, k]) => product(m!, n!, k!, batch),
  matmul: ([, batch, m, n, k]) => product(m!, n!, k!, batch),
  linear: ([n, bias, , , scale, addend], rows) => ({
    lanes: rows * n! * (masked(scale) + Number(bias !== 0) + Number(addend !== 0)),
    floats: rows * n! * (addend ? 3 : 2),
  }),
  linear_gelu: ([n, , x, y], rows) => ({ lanes: LANES.gelu * rows * n!, floats: rows * n! * (x === y ? 2 : 3) }),
  gelu: perElement(LANES.gelu, 2),
  gelu_grad: perElement(LANES.geluGrad, 3),
  mlp: ([n, hidden, out], rows) => ({
    flop: 2 * rows * hidden! * (n! + out!),
    lanes: LANES.gelu * rows * hidden!,
    floats: rows * (n! + 2 * out!),
  }),
  mlp_grad_x: ([n, hidden, out], rows) => ({
    flop: 2 * rows * hidden! * (n! + out!),
    lanes: LANES.geluGrad * rows * hidden!,
    floats: rows * (n! + hidden! + out!),
  }),
  layer_norm: ([d], rows) => ({ lanes: LANES.norm * rows * d!, floats: 2 * rows * d! }),
  layer_norm_grad_x: ([d, , , , , , addend], rows) => ({
    lanes: (LANES.normGrad + Number(addend !== 0)) * rows * d!,
    floats: (addend ? 4 : 3) * rows * d!,
  }),
  add: perElement(1, 3),
  add_row: ([n], rows) => ({ lanes: rows * n!, floats: 2 * rows * n! }),
  dropout: perElement(LANES.dropout, 2),
  adamw: perElement(LANES.adamw, 7),
  attention: (args, rows, rates) => {
    const { m, n, w, head } = headOf(args, rates);
    return {
      lanes: (head.softmax ? 0 : LANES.softmax + LANES.exp) * rows * m * n,
      floats: rows * (2 * m + 2 * n) * w,
      measured: rows * (head.scores + head.values + (head.softmax ?? 0)),
    };
  },
  attention_grad: (args, rows, rates) => {
    const { m, n, w, head } = headOf(args, rates);
    return {
      lanes: (LANES.scoreGrad + (head.exps ? 0 : LANES.exp)) * rows * m * n,
      floats: rows * (4 * m + 4 * n) * w,
      measured: rows * (2 * head.scores + head.values + 2 * head.transposed + (head.exps ?? 0)),
    };
  },
  lora: ([n, out, rank, , , , scale], rows) => ({
    flop: 2 * rows * rank! * (n! + out!),
    lanes: rows * n! * masked(scale),
    floats: rows * (n! + 2 * out!),
  }),
  lora_grad_low: ([out, rank], rows) => ({ flop: 2 * rows * rank! * out!, floats: rows * out! }),
  lora_grad_b: ([m, , rank], columns) => ({ flop: 2 * m! * rank! * columns, floats: m! * columns }),
  lora_grad_a: ([m, , rank, , , , words], columns) => ({
    flop: 2 * m! * rank! * columns,
    lanes: m! * columns * kept(words),
    floats: m! * columns,
  }),
  lora_grad_x: ([n, rank, , , , words, , , from, to], rows) => ({
    flop: 2 * rows * rank! * n!,
    lanes: rows * n! * (kept(words) + 2),
    floats: rows * n! * (from === to ? 2 : 3),
  }),
};

function product(m: number, n: number, k: number, batch = 1): Cost {
  return { flop: 2 * batch * m * n * k, floats: batch * (m * n + m * k + n * k) };
}

function headOf([m, n, width, heads]: readonly number[], rates: Rates) {
  const w = width! / heads!;
  return { m: m!, n: n!, w, head: rates.head(m!, n!, w) };
}

/** Milliseconds for one head of attention, of all threads: each product as it is, and what else the library computes. */
export interface HeadTimes {
  /** Queries by keys, [m, w] [n, w]'. */
  scores: number;
  /** Scores by values, [m, n] [n, w]. */
  values: number;
  /** Scores, transposed, by gradients. */
  transposed: number;
  /** Exponentials of the scores. @default {by our own arithmetic} */
  exps?: number;
  /** The same with the greatest score and the sums of rows. @default {by our own arithmetic} */
  softmax?: number;
}

/** What the processor can do at best, of all threads together, a millisecond. */
export interface Rates {
  /** Operations of the library's product of 1576 x 768 x 3072, the weight packed where it can be. */
  flop: number;
  /** Floats of 128-bit arithmetic. */
  lanes: number;
  /** Floats read or written by copies of 20 MB, as large as the hidden layer of eight images. */
  floats: number;
  /** Times of a head of that size, measured when it is first asked for: operands in the cache, and in place among the others' columns. */
  head(m: number, n: number, w: number): HeadTimes;
}

/** The fastest of some runs, in milliseconds. */
function fastest(run: () => void, runs = 12): number {
  const times = Array.from({ length: runs }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
  return Math.min(...times);
}

/** Measures them, now. */
export function measureRates(): Rates {
  const [m, k, n] = [1576, 768, 3072];
  const threads = threadPool(1e9)?.threads ?? 1;
  const [a, b] = [tf.randomUniform([m, k], -1, 1, "float32", 1), tf.randomUniform([n, k], -1, 1, "float32", 2)];
  const [rows, width] = [2 * m, 2 * k];
  const table = tf.zeros([rows, width]);
  const indices = tf.range(0, rows, 1, "int32");
  const peak = peakRun();
  const rates = {
    flop: 2 * m * k * n / fastest(() => tf.matMul(a, b, false, true).dispose()),
    lanes: threads * peak.flop / 2 / fastest(peak.run),
    floats: 2 * rows * width / fastest(() => tf.gather(table, indices).dispose()),
    head: headRates(threads),
  };
  tf.dispose([a, b, table, indices]);
  return rates;
}

/** Columns of all heads: rows of one stand so far apart. */
const WIDTH = 768;

/** Calls in one measurement. */
const CALLS = 20;

/** Measures heads, each size once: by the library of the backend's kernels, else by our own products, whose operands stand alone. */
function headRates(threads: number): Rates["head"] {
  const backend = tf.engine().findBackend("wasm") as unknown as WasmBackend;
  const { run, blas, scratch } = wasmKernels(backend);
  const own = run["matmul"]!;
  const known = new Map<string, HeadTimes>();
  const measure = (m: number, n: number, w: number): HeadTimes => {
    const address = allocate(backend, 4 * (2 * Math.max(m, n) * WIDTH + m * n + n + m));
    const left = address, right = left + 4 * Math.max(m, n) * WIDTH;
    const scores = right + 4 * Math.max(m, n) * WIDTH, ones = scores + 4 * m * n, sums = ones + 4 * n;
    new Float32Array(backend.wasm.asm.memory.buffer, address, (sums - address) / 4).fill(1 / 16);
    const product = (
      ta: number,
      tb: number,
      [rows, columns, terms]: [number, number, number],
      [a, b, c]: [number, number, number],
    ): number =>
      time(() => {
        if (blas) {
          const line = (at: number): number => at === scores ? n : WIDTH;
          blas.sgemm(ta, tb, rows, columns, terms, 1, a, line(a), b, line(b), c, line(c));
        } else own(0, 1, rows, columns, terms, a, ta, 0, b, tb, 0, 0, c, 0, 1, scratch(run["gemm_scratch"]!()));
      });
    const time = (f: () => void): number =>
      fastest(() => {
        for (let i = 0; i < CALLS; i++) f();
      }) / CALLS / threads;
    const times: HeadTimes = {
      scores: product(0, 1, [m, n, w], [left, right, scores]),
      values: product(0, 0, [m, w, n], [scores, right, left]),
      transposed: product(1, 0, [n, w, m], [scores, left, right]),
    };
    if (blas?.exponentials) {
      const { exp, greatest } = blas.exponentials;
      const x = new Float32Array(backend.wasm.asm.memory.buffer, scores, m * n);
      // Numbers stay what they are: of exponentials of exponentials all would soon be infinite.
      const [refilled, filling] = [time(() => (x.fill(-1), exp(m * n, scores))), time(() => x.fill(-1))];
      times.exps = refilled - filling;
      times.softmax = times.exps + time(() => (greatest(m * n, scores), blas.sums(m, n, scores, n, ones, sums)));
    }
    backend.wasm._free(address);
    return times;
  };
  return (m, n, w) => {
    const key = `${[m, n, w]}`;
    const times = known.get(key) ?? measure(m, n, w);
    known.set(key, times);
    return times;
  };
}

/** A C function's calls. */
export interface KernelTime {
  milliseconds: number;
  /** Of them, what the main thread waited for others. */
  waited: number;
  calls: number;
  /** At the rates given; NaN where nothing is known of its work. */
  bound: number;
}

/** The least time for a cost: its arithmetic, which shares the units of one processor, or its bytes. */
function boundOf(cost: Cost | undefined, rates: Rates): number {
  if (!cost) return NaN;
  const { flop = 0, lanes = 0, measured = 0, floats } = cost;
  return Math.max(flop / rates.flop + lanes / rates.lanes + measured, floats / rates.floats);
}

/**
 * Adds up the time of every C function from now on, by its name and, of products, its sizes.
 *
 * @param rates What the bounds are computed by.
 * @returns The totals, growing.
 */
export function recordFunctions(rates: Rates): Map<string, KernelTime> {
  const totals = new Map<string, KernelTime>();
  const backend = tf.engine().findBackend("wasm") as unknown as WasmBackend;
  const kernels: WasmKernels = wasmKernels(backend);
  const pool = threadPool();
  let isInside = false;
  let here = 0;
  const timed = <T>(steps: readonly PoolStep[], rows: number, run: () => T): T => {
    isInside = true;
    here = 0;
    const start = performance.now();
    const result = run();
    const milliseconds = performance.now() - start;
    isInside = false;
    const key = steps.map(nameOf).join(" + ");
    const known = totals.get(key) ?? { milliseconds: 0, waited: 0, calls: 0, bound: 0 };
    const costs = steps.map(({ name, args, perRow }) => boundOf(COSTS[name]?.(args, rows * perRow, rates), rates));
    totals.set(key, {
      milliseconds: known.milliseconds + milliseconds,
      waited: known.waited + (here > 0 ? milliseconds - here : 0),
      calls: known.calls + 1,
      bound: costs.reduce((sum, bound) => sum + bound, known.bound),
    });
    return result;
  };
  for (const [name, run] of Object.entries(kernels.run)) {
    if (typeof run !== "function" || name.endsWith("_scratch")) continue;
    kernels.run[name] = (...args) =>
      isInside
        ? run(...args)
        : timed([{ name, args: args.slice(0, -3), own: [], perRow: 1 }], args.at(-2)!, () => run(...args));
  }
  if (!pool) return totals;
  const { run } = pool;
  pool.run = (job) =>
    timed(job.steps, job.bounds.at(-1)! - job.bounds[0]!, () =>
      run({
        ...job,
        here(first, rows) {
          const start = performance.now();
          job.here(first, rows);
          here += performance.now() - start;
        },
      }));
  return totals;
}

/** A function's name, a product's with its sizes, but for the rows. */
function nameOf({ name, args }: PoolStep): string {
  const sizes = { blas_packed: args.slice(1, 3), blas_matmul: args.slice(3, 5), matmul: args.slice(3, 5) }[name];
  return sizes ? `${name} [${sizes.join(", ")}]` : name;
}
