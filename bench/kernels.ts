/**
 * The C kernels of a run, each with its time and its bound: what the processor needs for its operations or its bytes at least.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { type WasmBackend, type WasmKernels, wasmKernels } from "../lib/tensor/wasm/module.ts";
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
}

type Cost4 = (args: readonly number[], rows: number) => Cost;

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
  layer_norm_grad_x: ([d], rows) => ({ lanes: LANES.normGrad * rows * d!, floats: 3 * rows * d! }),
  add: perElement(1, 3),
  add_row: ([n], rows) => ({ lanes: rows * n!, floats: 2 * rows * n! }),
  dropout: perElement(LANES.dropout, 2),
  adamw: perElement(LANES.adamw, 7),
  attention: ([m, n, width, heads], rows) => ({
    flop: 4 * rows * m! * n! * width! / heads!,
    lanes: (LANES.softmax + LANES.exp) * rows * m! * n!,
    floats: rows * (2 * m! + 2 * n!) * width! / heads!,
  }),
  attention_grad: ([m, n, width, heads], rows) => ({
    flop: 10 * rows * m! * n! * width! / heads!,
    lanes: (LANES.scoreGrad + LANES.exp) * rows * m! * n!,
    floats: rows * (4 * m! + 4 * n!) * width! / heads!,
  }),
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

/** What the processor can do at best, of all threads together, a millisecond. */
export interface Rates {
  /** Operations of the library's product of 1576 x 768 x 3072, the weight packed where it can be. */
  flop: number;
  /** Floats of 128-bit arithmetic. */
  lanes: number;
  /** Floats read or written by copies of 20 MB, as large as the hidden layer of eight images. */
  floats: number;
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
  };
  tf.dispose([a, b, table, indices]);
  return rates;
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
  return Math.max((cost.flop ?? 0) / rates.flop + (cost.lanes ?? 0) / rates.lanes, cost.floats / rates.floats);
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
    const costs = steps.map(({ name, args, perRow }) => boundOf(COSTS[name]?.(args, rows * perRow), rates));
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
