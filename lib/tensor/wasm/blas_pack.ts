/**
 * Weights in the form in which MKL multiplies. A product packs its right matrix anew each time, a sixth of the time at 200 rows; one that
 * comes again and again is packed once, beside the tensor and outside wasm's memory.
 *
 * @module
 */
/** The calls; all or none. */
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

/** Uses of the same tensor in the same form after which it is taken for a weight. */
const USES = 3;
/** Numbers from which packing is worth a place. */
const LEAST_NUMBERS = 2 ** 16;

/** What all packed matrices may take, as numbers of their tensors: MKL adds a percent or two. */
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
}

/** The packed matrices of a library. */
export interface PackedMatrices {
  /** The packed form, once there is one; counts the uses. */
  find(matrix: RightMatrix): number | undefined;
  /**
   * Whether a product of such sizes is the same to the bit with and without packing, which decides that it may be used: `compare` is
   * asked the first time.
   */
  agrees(sizes: string, compare: () => boolean): boolean;
}

const libraries = new Map<string, PackedMatrices>();

/**
 * The packed matrices of the library of that path; undefined where it packs none. They outlive a change of the number of threads.
 *
 * @param settle Waits for threads that may still read a packed matrix.
 */
export function packedMatrices(
  path: string,
  symbols: Deno.DynamicLibrary<typeof PACKING>["symbols"],
  settle: () => void,
): PackedMatrices | undefined {
  const { MKL_malloc, MKL_free, cblas_sgemm_pack_get_size, cblas_sgemm_pack } = symbols;
  if (!MKL_malloc || !MKL_free || !cblas_sgemm_pack_get_size || !cblas_sgemm_pack) return undefined;
  const known = libraries.get(path);
  if (known) return known;
  let bytes = 0;
  const agreements = new Map<string, boolean>();
  const uses = new WeakMap<object, { count: number; packed?: number }[]>();
  const freed = new FinalizationRegistry<{ packed: bigint; size: number }>(({ packed, size }) => {
    settle();
    MKL_free(packed);
    bytes -= size;
  });
  const pack = ({ dataId, address, transposed, n, k }: RightMatrix): number | undefined => {
    const size = 4 * n * k;
    if (bytes + size > PACKED_BYTES) return undefined;
    const packed = MKL_malloc(cblas_sgemm_pack_get_size(B_MATRIX, MEANT_ROWS, n, k), CACHE_LINE);
    if (packed === 0n) return undefined;
    const form = transposed ? TRANSPOSED : AS_IS;
    const place = BigInt(address);
    cblas_sgemm_pack(ROW_MAJOR, B_MATRIX, form, MEANT_ROWS, n, k, 1, place, transposed ? k : n, packed);
    bytes += size;
    freed.register(dataId, { packed, size });
    return Number(packed);
  };
  const matrices: PackedMatrices = {
    find(matrix) {
      if (matrix.n * matrix.k < LEAST_NUMBERS) return undefined;
      const forms = uses.get(matrix.dataId) ?? [{ count: 0 }, { count: 0 }];
      uses.set(matrix.dataId, forms);
      const use = forms[Number(matrix.transposed)]!;
      if (use.count++ === USES) {
        const packed = pack(matrix);
        if (packed !== undefined) use.packed = packed;
      }
      return use.packed;
    },
    agrees(sizes, compare) {
      const known = agreements.get(sizes) ?? compare();
      agreements.set(sizes, known);
      return known;
    },
  };
  libraries.set(path, matrices);
  return matrices;
}
