/**
 * The steps of OpenBLAS's product, called one by one so that a weight is packed once: the copies of both operands into the order in which
 * its kernel reads them, and the kernel. OpenBLAS has no documented packing, but where it holds kernels of several processors it exports
 * these, whose arguments are those of GotoBLAS. They are used of the processors on which that has been tried, and where a product by
 * them has cblas_sgemm's bits.
 *
 * @module
 */
import type { PackedProduct } from "./blas_matmul.ts";
import type { Packer } from "./blas_pack.ts";
import { allocate, type Blas, type BlasSteps, type WasmBackend } from "./module.ts";

/** Processors, as OpenBLAS calls them: those with AVX-512, whose copies and kernels have been tried. */
const CORES = ["SkylakeX", "Cooperlake", "SapphireRapids"];

const COPY = ["i64", "i64", "usize", "i64", "usize"] as const; // terms, lines, from, a line's floats, to

function symbolsOf(core: string) {
  const name = <T extends string>(step: T) => `${step}_${core.toUpperCase()}` as const;
  return {
    sgemm_incopy: { name: name("sgemm_incopy"), parameters: COPY, result: "i32", optional: true }, // of B, [n, k]
    sgemm_itcopy: { name: name("sgemm_itcopy"), parameters: COPY, result: "i32", optional: true }, // of B, [k, n]
    sgemm_oncopy: { name: name("sgemm_oncopy"), parameters: COPY, result: "i32", optional: true }, // of A, [m, k]
    sgemm_kernel: {
      name: name("sgemm_kernel"),
      parameters: ["i64", "i64", "i64", "f32", "usize", "usize", "usize", "i64"],
      result: "i32",
      optional: true,
    },
    sgemm_beta: {
      name: name("sgemm_beta"),
      parameters: ["i64", "i64", "i64", "f32", "usize", "i64", "usize", "i64", "usize", "i64"],
      result: "i32",
      optional: true,
    },
    aligned_alloc: { parameters: ["usize", "usize"], result: "usize", optional: true },
    free: { parameters: ["usize"], result: "void", optional: true },
  } as const satisfies Deno.ForeignLibraryInterface;
}

type StepInterface = ReturnType<typeof symbolsOf>;

/** The functions, all there. */
type StepFunctions = {
  [name in keyof StepInterface]: NonNullable<Deno.DynamicLibrary<StepInterface>["symbols"][name]>;
};

function areThere(functions: Deno.DynamicLibrary<StepInterface>["symbols"]): functions is StepFunctions {
  return Object.values(functions).every((step) => step !== null);
}

/** Numbers of terms that may be the library's; it has one a processor and version. */
const POSSIBLE_TERMS: readonly number[] = [192, 256, 320, 352, 384, 448, 512, 640, 768];

/** A part of a packed matrix, which the kernel multiplies by at a time. */
interface StepBlock {
  /** Its first term, and how many. */
  term: number;
  depth: number;
  /** Its first column, and how many. */
  column: number;
  width: number;
}

/** The blocks of a matrix [k, columns] in their order. Its own text must suffice: workers get it as such. */
export function stepBlocks(columns: number, k: number, terms: number): StepBlock[] {
  const [WIDTH, UNROLLED] = [384, 16]; // a block stays in L2
  const blocks: StepBlock[] = [];
  for (let term = 0, depth; term < k; term += depth) {
    const left = k - term; // as the library divides them, so that the sums are the same
    const half = Math.ceil(Math.floor(left / 2) / UNROLLED) * UNROLLED;
    depth = left >= 2 * terms ? terms : left > terms ? half : left;
    for (let column = 0; column < columns; column += WIDTH) {
      blocks.push({ term, depth, column, width: Math.min(WIDTH, columns - column) });
    }
  }
  return blocks;
}

/** Rows multiplied at a time. */
export const MOST_ROWS = 512;

/** Products by packed matrices. Its own text must suffice, too. */
export function stepsProduct(
  { sgemm_oncopy, sgemm_kernel, sgemm_beta }: StepFunctions,
  { base, terms, mostRows, blocksOf }: { base: number; terms: number; mostRows: number; blocksOf: typeof stepBlocks },
): PackedProduct {
  const FLOAT = 4;
  const pointer = (address: number): bigint => BigInt(base + address);
  return (m, columns, k, a, packed, c, n, scratch) => {
    const copied = pointer(Math.ceil(scratch / 64) * 64);
    const [blocks, line] = [blocksOf(columns, k, terms), BigInt(n)];
    for (let row = 0; row < m; row += mostRows) {
      const rows = Math.min(mostRows, m - row);
      const [from, to] = [a + FLOAT * row * k, c + FLOAT * row * n];
      sgemm_beta(BigInt(columns), BigInt(rows), 0n, 0, 0n, 0n, 0n, 0n, pointer(to), line); // zeros, to which the kernel adds
      let place = packed;
      for (const { term, depth, column, width } of blocks) {
        const [terms, lines] = [BigInt(depth), BigInt(rows)];
        if (column === 0) sgemm_oncopy(terms, lines, pointer(from + FLOAT * term), BigInt(k), copied);
        sgemm_kernel(BigInt(width), lines, terms, 1, BigInt(place), copied, pointer(to + FLOAT * column), line);
        place += FLOAT * width * depth;
      }
    }
  };
}

const CACHE_LINE = 64;

/** Packs matrices for those products. */
function stepsPacker(
  { sgemm_incopy, sgemm_itcopy, aligned_alloc, free }: StepFunctions,
  terms: number,
): Packer {
  return {
    scratchBytes: 4 * MOST_ROWS * terms + CACHE_LINE,
    leastWholeRows: 64, // one image on two threads: 0.93 to 0.95 of its time by halves, as layers are jobs of rows then
    pack({ address, transposed, n, k }, first, columns) {
      const bytes = Math.ceil(4 * columns * k / CACHE_LINE) * CACHE_LINE;
      const packed = aligned_alloc(BigInt(CACHE_LINE), BigInt(bytes));
      if (packed === 0n) return undefined;
      let place = Number(packed);
      for (const { term, depth, column, width } of stepBlocks(columns, k, terms)) {
        const floats = transposed ? term + (first + column) * k : first + column + term * n;
        const copy = transposed ? sgemm_incopy : sgemm_itcopy;
        const line = BigInt(transposed ? k : n);
        copy(BigInt(depth), BigInt(width), BigInt(address + 4 * floats), line, BigInt(place));
        place += 4 * width * depth;
      }
      return packed;
    },
    free,
  };
}

/**
 * How many terms the library sums at a time, which no function tells: with as many, a product by the steps has the bits of its own.
 *
 * @param matmul The library's product.
 * @returns Undefined where no number does: the steps are not as they are taken here.
 */
function findTerms(
  backend: WasmBackend,
  functions: StepFunctions,
  base: number,
  matmul: Blas["matmul"],
): number | undefined {
  const [m, n, k] = [64, 64, 3072] as const;
  const scratch = m * Math.max(...POSSIBLE_TERMS) + CACHE_LINE / 4;
  const address = allocate(backend, 4 * (m * k + n * k + 2 * m * n + scratch));
  const [a, b] = [address, address + 4 * m * k];
  const [own, c] = [b + 4 * n * k, b + 4 * (n * k + m * n)];
  const view = (from: number, count: number) => new Int32Array(backend.wasm.asm.memory.buffer, from, count);
  const numbers = new Float32Array(backend.wasm.asm.memory.buffer, address, (m + n) * k);
  numbers.forEach((_, i) => numbers[i] = Math.sin(i + 1));
  try {
    matmul(0, 1, m, n, k, a, 0, 0, b, 1, 0, 0, own, 0, 1);
    return POSSIBLE_TERMS.find((terms) => {
      const packer = stepsPacker(functions, terms);
      const matrix = { dataId: {}, address: base + b, transposed: true, n, k, parts: 1 } as const;
      const packed = packer.pack(matrix, 0, n);
      if (packed === undefined) return false;
      stepsProduct(functions, { base, terms, mostRows: MOST_ROWS, blocksOf: stepBlocks })(
        m,
        n,
        k,
        a,
        Number(packed),
        c,
        n,
        c + 4 * m * n,
      );
      packer.free(packed);
      const expected = view(own, m * n);
      return view(c, m * n).every((bits, i) => bits === expected[i]);
    });
  } finally {
    backend.wasm._free(address);
  }
}

/** Products by steps on this thread, and what others and blas_pack.ts need for them. */
export interface OpenedSteps {
  steps: BlasSteps;
  product: PackedProduct;
  packer: Packer;
}

/**
 * Opens the steps of a library.
 *
 * @param path Its file.
 * @param core What it calls the processor.
 * @param base Where wasm's memory lies in the process's.
 * @param matmul The library's product, on one thread.
 * @returns Undefined where it has none that are known, or other bits by them.
 */
export function openSteps(
  backend: WasmBackend,
  { path, core, base, matmul }: { path: string; core: string; base: number; matmul: Blas["matmul"] },
): OpenedSteps | undefined {
  if (Deno.build.os !== "linux" || !CORES.includes(core)) return undefined;
  const symbols = symbolsOf(core);
  const functions = Deno.dlopen(path, symbols).symbols;
  if (!areThere(functions)) return undefined;
  const terms = findTerms(backend, functions, base, matmul);
  if (terms === undefined) return undefined;
  return {
    steps: { symbols, terms },
    product: stepsProduct(functions, { base, terms, mostRows: MOST_ROWS, blocksOf: stepBlocks }),
    packer: stepsPacker(functions, terms),
  };
}
