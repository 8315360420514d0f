/** What C kernels ask of a library, by its own functions, for the main thread and for workers: products, and MKL's exponentials. @module */
import type { KernelFunctions, ThreadLibrary } from "./module.ts";

/** The products of a BLAS library. */
export const PRODUCTS = {
  cblas_sgemm: {
    parameters: [
      ...["i32", "i32", "i32", "i32", "i32", "i32"] as const,
      ...["f32", "usize", "i32", "usize", "i32", "f32", "usize", "i32"] as const,
    ],
    result: "void",
  },
  cblas_sgemm_batch: {
    parameters: [
      ...["i32", "buffer", "buffer", "buffer", "buffer", "buffer"] as const, // layout, transposes, m, n, k
      ...["buffer", "buffer", "buffer", "buffer", "buffer"] as const, // alpha, a, lda, b, ldb
      ...["buffer", "buffer", "buffer", "i32", "buffer"] as const, // beta, c, ldc, number of groups, their sizes
    ],
    result: "void",
    optional: true,
  },
  cblas_sgemm_compute: {
    parameters: [
      ...["i32", "i32", "i32", "i32", "i32", "i32"] as const,
      ...["usize", "i32", "usize", "i32", "f32", "usize", "i32"] as const,
    ],
    result: "void",
    optional: true,
  },
  cblas_sgemv: {
    parameters: [
      ...["i32", "i32", "i32", "i32"] as const,
      ...["f32", "usize", "i32", "usize", "i32", "f32", "usize", "i32"] as const,
    ],
    result: "void",
  },
  cblas_isamax: { parameters: ["i32", "usize", "i32"], result: "i32" },
  vmsExp: { parameters: ["i32", "usize", "usize", "i64"], result: "void", optional: true },
} as const satisfies Deno.ForeignLibraryInterface;

/** The name of what {@linkcode blasMatmul} makes among a thread's functions. */
export const BLAS_MATMUL = "blas_matmul";

/**
 * The function, with the arguments of matmul.c's but for the scratch. What it computes it computes wholly, the bias included, so
 * that it may be computed anew. Its own text must suffice: workers get it as such.
 *
 * @param symbols The library's functions.
 * @param base Where wasm's memory lies in the process's.
 * @param repeat {@linkcode repeatRow}, which is no part of that text.
 */
export function blasMatmul(
  symbols: Deno.DynamicLibrary<typeof PRODUCTS>["symbols"],
  base: number,
  memory: WebAssembly.Memory,
  repeat: typeof repeatRow,
): KernelFunctions[string] {
  const [ROW_MAJOR, AS_IS, TRANSPOSED, FLOAT] = [101, 111, 112, 4] as const;
  const place = (address: number): bigint => BigInt(base + address);
  const pointers = (addresses: number[]): BigUint64Array<ArrayBuffer> => BigUint64Array.from(addresses, place);
  const integer = (value: number): Int32Array<ArrayBuffer> => Int32Array.of(value);
  return (part, batch, m, n, k, a, ta, ia, b, tb, ib, bias, c, first, count) => {
    const [i0, matrices] = part === 0 ? [first, count] : [0, batch];
    const [row, rows] = part === 1 ? [first, count] : [0, m];
    const [column, columns] = part === 2 ? [first, count] : [0, n];
    const words = new Int32Array(memory.buffer);
    const places = (from: (i: number) => number): number[] => Array.from({ length: matrices }, (_, i) => from(i0 + i));
    const lefts = places((i) => a + FLOAT * ((ia ? words[ia / 4 + i]! : i) * m * k + (ta ? row : row * k)));
    const rights = places((i) => b + FLOAT * ((ib ? words[ib / 4 + i]! : i) * k * n + (tb ? column * k : column)));
    const results = places((i) => c + FLOAT * (i * m * n + row * n + column));
    if (bias) {
      const [bytes, width, line] = [new Uint8Array(memory.buffer), FLOAT * columns, FLOAT * n];
      for (const into of results) repeat(bytes, bias + FLOAT * column, { into, width, line, rows });
    }
    const [formA, formB] = [ta ? TRANSPOSED : AS_IS, tb ? TRANSPOSED : AS_IS];
    const [lda, ldb, beta] = [ta ? m : k, tb ? k : n, bias ? 1 : 0];
    if (matrices > 1 && symbols.cblas_sgemm_batch) {
      symbols.cblas_sgemm_batch(
        ROW_MAJOR,
        ...[integer(formA), integer(formB), integer(rows), integer(columns), integer(k)] as const,
        ...[Float32Array.of(1), pointers(lefts), integer(lda), pointers(rights), integer(ldb)] as const,
        ...[Float32Array.of(beta), pointers(results), integer(n), 1, integer(matrices)] as const,
      );
      return 0;
    }
    for (let i = 0; i < matrices; i++) {
      const [left, right, result] = [place(lefts[i]!), place(rights[i]!), place(results[i]!)] as const;
      symbols.cblas_sgemm(
        ...[ROW_MAJOR, formA, formB, rows, columns, k] as const,
        ...[1, left, lda, right, ldb, beta, result, n] as const,
      );
    }
    return 0;
  };
}

/** Copies a row of `width` bytes into so many rows, `line` bytes apart. Its own text must suffice, too. */
export function repeatRow(
  bytes: Uint8Array,
  row: number,
  { into, width, line, rows }: { into: number; width: number; line: number; rows: number },
): void {
  const end = into + line * rows;
  if (width < line) {
    for (let to = into; to < end; to += line) bytes.copyWithin(to, row, row + width);
    return;
  }
  bytes.copyWithin(into, row, row + width);
  for (let done = width; into + done < end; done *= 2) { // twice as many at a time
    bytes.copyWithin(into + done, into, into + Math.min(done, end - into - done));
  }
}

/** The name of what {@linkcode blasPacked} makes among a thread's functions. */
export const BLAS_PACKED = "blas_packed";

/**
 * `C = A B` of [m, k] and [k, columns], the second packed, into rows of `n` floats. A, C and the scratch are places in wasm's memory, the
 * packed matrix one in the process's.
 */
export type PackedProduct = (
  ...args: [
    ...[m: number, columns: number, k: number, a: number, packed: number],
    ...[c: number, n: number, scratch: number],
  ]
) => void;

/**
 * A product by a matrix that blas_pack.ts packed. In one part: rows of the result. In two: tiles of it, the parts' columns by even parts
 * of the rows. Arguments: m, n, k, a, the parts in the process's memory (0: no second one), the first column of the second, c, the
 * number of rows or tiles, then the first of them, how many, and scratch. Its own text must suffice, too.
 */
export function blasPacked(product: PackedProduct): KernelFunctions[string] {
  const FLOAT = 4;
  return (m, n, k, a, part0, part1, column1, c, tiles, first, count, scratch) => {
    const multiply = (row: number, rows: number, column: number, columns: number, part: number): void =>
      product(rows, columns, k, a + FLOAT * row * k, part, c + FLOAT * (row * n + column), n, scratch);
    if (!part1) {
      multiply(first, count, 0, n, part0);
      return 0;
    }
    const rowOf = (index: number): number => Math.round(2 * m * index / tiles);
    for (let tile = first; tile < first + count; tile++) {
      const index = Math.floor(tile / 2);
      const [row, rows] = [rowOf(index), rowOf(index + 1) - rowOf(index)];
      if (tile % 2 === 0) multiply(row, rows, 0, column1, part0);
      else multiply(row, rows, column1, n - column1, part1);
    }
    return 0;
  };
}

/** Products by what MKL packed. Its own text must suffice, too. */
export function mklProduct(
  { cblas_sgemm_compute }: Pick<Deno.DynamicLibrary<typeof PRODUCTS>["symbols"], "cblas_sgemm_compute">,
  base: number,
): PackedProduct {
  const [ROW_MAJOR, AS_IS, PACKED] = [101, 111, 151] as const;
  return (m, columns, k, a, packed, c, n) =>
    cblas_sgemm_compute!(
      ...[ROW_MAJOR, AS_IS, PACKED, m, columns, k] as const,
      ...[BigInt(base + a), k, BigInt(packed), k] as const,
      ...[0, BigInt(base + c), n] as const,
    );
}

/**
 * What C kernels ask for. Exponentials are right to one unit in the last place, subnormal numbers are 0, no error is reported. Its own
 * text must suffice, too.
 */
export function threadLibrary(
  { cblas_sgemm, cblas_sgemv, cblas_isamax, vmsExp }: Deno.DynamicLibrary<typeof PRODUCTS>["symbols"],
  base: number,
): ThreadLibrary {
  const [ROW_MAJOR, AS_IS, MODE] = [101, 111, 0x280101n] as const;
  const pointer = (address: number): bigint => BigInt(base + (address >>> 0));
  return {
    sgemm: (ta, tb, m, n, k, alpha, a, lda, b, ldb, c, ldc) =>
      cblas_sgemm(
        ...[ROW_MAJOR, AS_IS + ta, AS_IS + tb, m, n, k] as const,
        ...[alpha, pointer(a), lda, pointer(b), ldb, 0, pointer(c), ldc] as const,
      ),
    sums: (rows, n, x, line, ones, sums) =>
      cblas_sgemv(
        ...[ROW_MAJOR, AS_IS, rows, n] as const,
        ...[1, pointer(x), line, pointer(ones), 1, 0, pointer(sums), 1] as const,
      ),
    exponentials: vmsExp
      ? {
        exp(n, x) {
          const place = pointer(x);
          vmsExp(n, place, place, MODE);
        },
        greatest: (n, x) => cblas_isamax(n, pointer(x), 1),
      }
      : undefined,
  };
}
