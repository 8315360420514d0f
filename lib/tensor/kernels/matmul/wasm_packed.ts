/** Products by weights that a library has packed (blas_pack.ts), of their own or as steps of rows. @module */
import { BLAS_PACKED } from "../../wasm/blas_matmul.ts";
import { partColumn } from "../../wasm/blas_pack.ts";
import { addressOf, type Blas, output, type WasmBackend, wasmKernels } from "../../wasm/module.ts";
import { type Place, type RowStep, runRows } from "../../wasm/rows.ts";
import { threadPool } from "../../wasm/threads.ts";
import type { TensorInfo } from "../info.ts";
import { matrixShape } from "./matrix_shape.ts";

/** Rows a thread, or a call, from which a packed matrix is used: MKL has another method, and other bits, for few. */
export const LEAST_PACKED_ROWS = 64;
/** Columns from which two halves are packed for two threads: each then has twice the rows, of which MKL wants 200. */
const LEAST_PARTED_COLUMNS = 512;

/** A library's rough speed on one thread, which only decides on threads. */
export const NATIVE_FLOP_PER_MS = 1e8;

/** A product of all rows by one matrix. */
export interface RowsProduct {
  m: number;
  n: number;
  k: number;
  a: TensorInfo;
  b: TensorInfo;
  transposeB: boolean;
  c: TensorInfo;
}

interface PackedProduct extends RowsProduct {
  blas: Blas;
  /** Computes it without the packed form. */
  plain(): void;
}

/** In how many parts a weight is packed for a product of m rows on all threads; undefined: the product is not by a packed weight. */
function partsOf({ packs, isShared }: Blas, m: number, n: number): { threads: number; parts: 1 | 2 } | undefined {
  const threads = threadPool()?.threads ?? 1;
  if (!packs || (threads > 1 && !isShared)) return undefined;
  const isParted = threads % 2 === 0 && n >= LEAST_PARTED_COLUMNS && m < threads * packs.leastWholeRows;
  const parts = isParted ? 2 : 1;
  return m < LEAST_PACKED_ROWS * threads / parts ? undefined : { threads, parts };
}

/** The product by the packed form of B, where the library has one and it changes no bit; false: nothing was done. */
export function multiplyPacked(
  backend: WasmBackend,
  { blas, m, n, k, a, b, transposeB, c, plain }: PackedProduct,
): boolean {
  const form = partsOf(blas, m, n);
  if (!form) return false;
  const { threads, parts } = form;
  const { packs, library: { base } } = blas;
  const address = base + addressOf(backend, b);
  const packed = packs!.find({ dataId: b.dataId, address, transposed: transposeB, n, k, parts });
  if (!packed) return false;
  const rows = parts === 1 ? m : threads;
  const multiplyInto = (c: TensorInfo): void =>
    runRows(backend, {
      name: BLAS_PACKED,
      args: [m, n, k, a, packed[0]!, packed[1] ?? 0, partColumn(n, 1, parts), c, rows],
      results: [c],
      rows,
      milliseconds: 2 * m * n * k / NATIVE_FLOP_PER_MS,
      scratchBytes: packs!.scratchBytes,
      ...(parts === 1 ? { chunk: m / threads } : { isEven: true }),
    });
  const agrees = packs!.agrees(sizesOf(threads, m, n, k, transposeB), () => {
    const other = output(backend, c.shape);
    plain();
    multiplyInto(other);
    const [x, y] = [c, other].map((t) => new Int32Array(backend.wasm.asm.memory.buffer, addressOf(backend, t), m * n));
    const same = x!.every((bits, i) => bits === y![i]);
    backend.disposeData(other.dataId);
    return same;
  });
  if (agrees) multiplyInto(c);
  return agrees;
}

/** What decides the bits of a product without a packed weight. */
function sizesOf(threads: number, m: number, n: number, k: number, transposeB: boolean): string {
  return [threads, m >= n, n, k, transposeB].join();
}

/** Rows that pass through several products one after the other: they and the results stay in a cache of 2 MB, more or less. */
export const CHAIN_ROWS = 208;

/** A product by a packed weight as one step of rows, with its time on one thread. */
export interface ProductStep {
  /** Shape of the result. */
  shape: [m: number, n: number];
  /** The step. */
  step(a: Place, c: Place): RowStep;
  milliseconds: number;
  scratchBytes: number;
}

/**
 * The product of `m` rows by a weight, `[n, k]` if `transposeB`, in steps of any number of rows, where the weight is packed and known to
 * change no bit: after some products of its own. Undefined elsewhere.
 */
export function productStep(
  backend: WasmBackend,
  m: number,
  b: TensorInfo,
  transposeB: boolean,
): ProductStep | undefined {
  const { blas } = wasmKernels(backend);
  const [k, n] = matrixShape(b.shape, transposeB);
  const form = blas && partsOf(blas, m, n);
  if (!form || form.parts !== 1) return undefined;
  const [packed] = blas.packs!.known({ dataId: b.dataId, transposed: transposeB, n, parts: 1 }) ?? [];
  if (packed === undefined || !blas.packs!.agrees(sizesOf(form.threads, m, n, k, transposeB))) return undefined;
  return {
    shape: [m, n],
    step: (a, c) => ({ name: BLAS_PACKED, args: [m, n, k, a, packed, 0, n, c, m] }),
    milliseconds: 2 * m * n * k / NATIVE_FLOP_PER_MS,
    scratchBytes: blas.packs!.scratchBytes,
  };
}
