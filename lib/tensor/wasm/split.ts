/** One large matrix product over several threads: the rows of the result are divided among them. @module */
import { type WasmBackend, wasmKernels } from "./module.ts";
import { threadPool, threadsWanted } from "./threads.ts";

/** `C [m, n] = A [m, k] B [k, n] + bias`, as addresses in tfjs's memory. */
export interface Product {
  /** Rows of the result. */
  m: number;
  /** Columns of the result. */
  n: number;
  /** Length of the sums. */
  k: number;
  /** 1 if A is stored as `[k, m]`. */
  ta: number;
  /** 1 if B is stored as `[n, k]`. */
  tb: number;
  /** Address of A. */
  a: number;
  /** Address of B. */
  b: number;
  /** Address of C. */
  c: number;
  /** Address of the bias; 0: none. */
  bias: number;
}

// Rough speeds of one thread, for the decision only.
const FLOP_PER_MS = 3e7;
const FLOATS_PER_MS = 1e6;
/** Waking a worker and waiting for it. */
const OVERHEAD_MS = 0.1;
const TILE_ROWS = 4;
const MIN_ROWS = 64;

/**
 * How many rows are left to the workers. The main thread keeps fewer than an equal part, as it copies for the others; when
 * it is through, it helps with what the workers have not begun.
 *
 * @param p The product.
 * @param threads Threads in all.
 * @returns Rows, the last ones, or 0 if splitting does not pay.
 */
export function planRows(p: Omit<Product, "a" | "b" | "c" | "bias">, threads: number): number {
  const compute = 2 * p.m * p.n * p.k / FLOP_PER_MS;
  const others = (threads - 1) / threads; // nothing to gain with one thread
  const copy = (p.n * p.k + (p.m * p.k + p.m * p.n) * others) / FLOATS_PER_MS + OVERHEAD_MS;
  if (compute * others < 1.5 * copy) return 0;
  // The main thread's rows take compute * main / m + copy, each worker's compute * worker / m: equal if
  const worker = (1 + copy / compute) / threads;
  const rows = Math.floor(p.m * Math.min(1, worker * (threads - 1)) / TILE_ROWS) * TILE_ROWS;
  return rows < MIN_ROWS ? 0 : rows;
}

/** Speeds seen lately with one thread and with all, in flop per ms; not known at first. */
const speeds = { one: 0, all: Infinity };
let calls = 0;

/** One large product in so many is computed the way that was slower lately, as other programs come and go. */
const RETRY = 12;

/**
 * Computes a product, with all threads if that is worth it: the product is large enough, and threads were faster lately
 * (on a machine whose processors are busy with other things they are not). The bits are the same either way.
 *
 * @param backend tfjs's wasm backend.
 * @param p The product.
 * @param scratch matmul's scratch in tfjs's memory.
 */
export function product(backend: WasmBackend, p: Product, scratch: number): void {
  const rows = planRows(p, threadsWanted());
  if (rows > 0) threadPool(2 * rows * p.n * p.k / FLOP_PER_MS); // may start it, which is not to be timed
  const prefer = (speeds.all > speeds.one) !== (++calls % RETRY === 0);
  const start = performance.now();
  const split = rows > 0 && prefer && splitRows(backend, p, scratch);
  if (!split) {
    const { m, n, k, a, b, c, ta, tb, bias } = p;
    wasmKernels(backend).run.matmul!(1, m, n, k, a, ta, 0, b, tb, 0, bias, c, 0, m, scratch);
  }
  if (rows === 0) return;
  const speed = 2 * p.m * p.n * p.k / (performance.now() - start);
  const name = split ? "all" : "one";
  const known = speeds[name] > 0 && speeds[name] < Infinity;
  speeds[name] = known ? 0.5 * (speeds[name] + speed) : speed;
}

/**
 * Computes a product with the pool's threads, if there is a pool and it pays. The bits are those of one thread: each output
 * is summed in the same order wherever it is computed.
 *
 * @param backend tfjs's wasm backend.
 * @param p The product.
 * @param scratch matmul's scratch in tfjs's memory.
 * @returns Whether it was done.
 */
export function splitRows(backend: WasmBackend, p: Product, scratch: number): boolean {
  const rows = planRows(p, threadsWanted());
  if (rows === 0) return false;
  const pool = threadPool();
  if (!pool || pool.busy()) return false;
  const { m, n, k } = p;
  const main = m - rows;
  const bytes = (count: number): number => Math.ceil(count / 16) * 64;
  const b = pool.base;
  const bias = b + bytes(n * k);
  const a = bias + bytes(n);
  const c = a + bytes(rows * k);
  if (c + bytes(rows * n) > pool.floats.byteLength) return false;
  const floats = new Float32Array(backend.wasm.asm.memory.buffer);
  const share = (address: number, count: number, to: number): void =>
    pool.floats.set(floats.subarray(address / 4, address / 4 + count), to / 4);
  share(p.b, n * k, b);
  if (p.bias) share(p.bias, n, bias);
  if (p.ta) {
    for (let q = 0; q < k; q++) share(p.a + 4 * (q * m + main), rows, a + 4 * q * rows);
  } else share(p.a + 4 * main * k, rows * k, a);
  const here = (first: number, count: number): void => {
    wasmKernels(backend).run.matmul!(1, m, n, k, p.a, p.ta, 0, p.b, p.tb, 0, p.bias, p.c, first, count, scratch);
  };
  let rowMs = 2 * n * k / FLOP_PER_MS;
  const { finish } = pool.start({
    name: "matmul",
    args: [1, rows, n, k, a, p.ta, 0, b, p.tb, 0, p.bias && bias, c],
    rows,
    rowMs: () => rowMs,
    here: (first, count) => here(main + first, count),
    fetch: (first, count) => {
      const from = c / 4 + first * n;
      floats.set(pool.floats.subarray(from, from + count * n), p.c / 4 + (main + first) * n);
    },
  });
  const start = performance.now();
  if (main > 0) {
    here(0, main);
    rowMs = (performance.now() - start) / main;
  }
  finish();
  return true;
}
