/**
 * Weights in the form in which MKL or OpenBLAS multiplies. A product packs its right matrix anew each time, a sixth of the time at 200 rows;
 * one that comes again and again is packed once, beside the tensor and outside wasm's memory.
 *
 * @module
 */
/** MKL's calls; all or none. */
export const PACKING = {
  MKL_malloc: { parameters: ["usize", "i32"], result: "usize", optional: true },
  MKL_free: { parameters: ["usize"], result: "void", optional: true },
  cblas_sgemm_pack_get_size: { parameters: ["i32", "i32", "i32", "i32"], result: "usize", optional: true },
  cblas_sgemm_pack: {
    parameters: ["i32", "i32", "i32", "i32", "i32", "i32", "f32", "usize", "i32", "usize"],
    result: "void",
    optional: true,
  },
} as const satisfies Deno.ForeignLibraryInterface;

const [ROW_MAJOR, B_MATRIX, AS_IS, TRANSPOSED] = [101, 162, 111, 112];
const CACHE_LINE = 64;
/** Rows that a packed matrix is meant for: made for a few, MKL packs no panels. Any number may follow. */
const MEANT_ROWS = 2048;

/** Columns of a part are a multiple of this. */
const COLUMNS = 16;

/** Uses of the same tensor in the same form after which it is taken for a weight. */
const USES = 3;
/** Numbers from which packing is worth a place. */
const LEAST_NUMBERS = 2 ** 16;

/** So much memory of the machine is left to others. */
const FREE_BYTES = 2 ** 30;
/** What all packed matrices may take where the machine may not be asked, as numbers of their tensors: MKL adds a percent or two. */
const PACKED_BYTES = 1.5 * 2 ** 30;

/** A right matrix [k, n], or [n, k] if `transposed`. */
export interface RightMatrix {
  /** Its tensor's. */
  dataId: object;
  /** Where it stands in the process's memory. */
  address: number;
  transposed: boolean;
  n: number;
  k: number;
  /** Its columns are packed in so many parts, for as many threads at least. */
  parts: 1 | 2;
}

/** Where a part of `n` columns begins. */
export function partColumn(n: number, part: number, parts: 1 | 2): number {
  return part === parts ? n : part * Math.ceil(n / parts / COLUMNS) * COLUMNS;
}

/** The packed matrices of a library. */
export interface PackedMatrices extends Pick<Packer, "scratchBytes" | "leastWholeRows"> {
  /** The packed parts, once there are any; counts the uses. */
  find(matrix: RightMatrix): readonly number[] | undefined;
  /** The same, but counts no use and packs nothing. */
  known(matrix: PackedForm & Pick<RightMatrix, "dataId">): readonly number[] | undefined;
  /**
   * Whether a product of such sizes is the same to the bit with and without packing, which decides that it may be used: `compare` is
   * asked the first time; without it the answer is no until then.
   */
  agrees(sizes: string, compare?: () => boolean): boolean;
}

/** Memory of the machine that programs can still have; undefined where it may not be asked for. */
function availableBytes(): number | undefined {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "systemMemoryInfo" });
  return state === "granted" ? Deno.systemMemoryInfo().available : undefined;
}

/** What tells a tensor's packed forms apart; its reshapes are the same tensor here, so the columns are part of it. */
type PackedForm = Pick<RightMatrix, "transposed" | "n" | "parts">;

function formOf({ transposed, n, parts }: PackedForm): string {
  return `${transposed} ${n} ${parts}`;
}

const libraries = new Map<string, PackedMatrices>();

/** How a library packs. */
export interface Packer {
  /** Packs so many columns of a matrix; undefined where there is no memory. */
  pack(matrix: RightMatrix, first: number, columns: number): bigint | undefined;
  free(packed: bigint): void;
  /** Scratch that a thread needs for a product, bytes. */
  scratchBytes: number;
  /** With so many rows a thread, each multiplies rows of its own by a whole matrix; with fewer, the rows of two by half of it. */
  leastWholeRows: number;
}

/** MKL's way; undefined where a library is another. */
export function mklPacker(symbols: Deno.DynamicLibrary<typeof PACKING>["symbols"]): Packer | undefined {
  const { MKL_malloc, MKL_free, cblas_sgemm_pack_get_size, cblas_sgemm_pack } = symbols;
  if (!MKL_malloc || !MKL_free || !cblas_sgemm_pack_get_size || !cblas_sgemm_pack) return undefined;
  return {
    scratchBytes: 0,
    leastWholeRows: 192, // 99 are a seventh slower than 197
    pack({ address, transposed, n, k }, first, columns) {
      const packed = MKL_malloc(cblas_sgemm_pack_get_size(B_MATRIX, MEANT_ROWS, columns, k), CACHE_LINE);
      if (packed === 0n) return undefined;
      const [form, line] = transposed ? [TRANSPOSED, k] : [AS_IS, n];
      const place = BigInt(address + 4 * first * (transposed ? k : 1));
      cblas_sgemm_pack(ROW_MAJOR, B_MATRIX, form, MEANT_ROWS, columns, k, 1, place, line, packed);
      return packed;
    },
    free: MKL_free,
  };
}

/** Packs matrices as long as memory is left; what is packed goes with its tensor. */
function packing(packer: Packer, settle: () => void): (matrix: RightMatrix) => number[] | undefined {
  let bytes = 0;
  const freed = new FinalizationRegistry<{ packed: bigint; size: number }>(({ packed, size }) => {
    settle();
    packer.free(packed);
    bytes -= size;
  });
  const packPart = (matrix: RightMatrix, part: number): number | undefined => {
    const { dataId, n, k, parts } = matrix;
    const [column, end] = [partColumn(n, part, parts), partColumn(n, part + 1, parts)];
    const packed = packer.pack(matrix, column, end - column);
    if (packed === undefined) return undefined;
    const size = 4 * (end - column) * k;
    bytes += size;
    freed.register(dataId, { packed, size });
    return Number(packed);
  };
  return (matrix) => {
    const left = (availableBytes() ?? PACKED_BYTES + FREE_BYTES - bytes) - FREE_BYTES;
    if (4 * matrix.n * matrix.k > left) return undefined;
    const packed = Array.from({ length: matrix.parts }, (_, part) => packPart(matrix, part));
    return packed.every((place) => place !== undefined) ? packed : undefined;
  };
}

/**
 * The packed matrices of the library of that path. They outlive a change of the number of threads.
 *
 * @param settle Waits for threads that may still read a packed matrix.
 */
export function packedMatrices(path: string, packer: Packer, settle: () => void): PackedMatrices {
  const known = libraries.get(path);
  if (known) return known;
  const pack = packing(packer, settle);
  const agreements = new Map<string, boolean>();
  const uses = new WeakMap<object, Map<string, { count: number; packed?: number[] }>>();
  const matrices: PackedMatrices = {
    scratchBytes: packer.scratchBytes,
    leastWholeRows: packer.leastWholeRows,
    find(matrix) {
      if (matrix.n * matrix.k < LEAST_NUMBERS) return undefined;
      const forms = uses.get(matrix.dataId) ?? new Map<string, { count: number; packed?: number[] }>();
      uses.set(matrix.dataId, forms);
      const form = formOf(matrix);
      const use = forms.get(form) ?? { count: 0 };
      forms.set(form, use);
      if (use.count++ === USES) {
        const packed = pack(matrix);
        if (packed) use.packed = packed;
      }
      return use.packed;
    },
    known: (matrix) => uses.get(matrix.dataId)?.get(formOf(matrix))?.packed,
    agrees(sizes, compare) {
      if (!compare) return agreements.get(sizes) ?? false;
      const known = agreements.get(sizes) ?? compare();
      agreements.set(sizes, known);
      return known;
    },
  };
  libraries.set(path, matrices);
  return matrices;
}
