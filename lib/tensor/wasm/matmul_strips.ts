/**
 * The matrix product's micro-kernel: strips of C, a chunk of their terms at a time, loop over the terms written out.
 *
 * Deno's V8 checks the bounds of every access to memory whose address is not a constant, which costs as much as the access. So the
 * chunk of B stands at constant addresses, in a memory of the module's own. That memory has to be the module's first, the only one
 * whose start V8 keeps at hand. Rows of A are read in place. The code is entered at whichever term leaves as many as there are, so
 * that one function does for all depths.
 *
 * There are two sets. Those of 256 bits are for V8's revectoriser, which makes one instruction of two of 128 bits (flag
 * `--experimental-wasm-revectorize`, x86-64 with AVX2). It joins two neighbouring loads or stores only if nothing that may trap
 * stands between them, so their tile of C is copied into the module's memory and back.
 *
 * The sums are those of matmul_micro_kernel.c to the bit: one chain for each output, ascending in k, begun from the bias or from C.
 *
 * @module
 */
import { type Code, type CodeFunction, copies, moduleBytes, OP, type Piece } from "./assembler.ts";

/** A tile's columns and rows. */
export type Tile = readonly [width: number, rows: number];

/**
 * The tiles of either set. V8 leaves 15 registers free: the widest take 12 sums, two of A and one of B; where there are more rows
 * than vectors in one, the vectors of B are held instead and A's numbers come one by one.
 */
export const TILES: Readonly<Record<128 | 256, readonly Tile[]>> = {
  128: [[24, 2], [20, 2], [16, 2], [8, 6]],
  256: [[48, 2], [32, 2], [24, 3], [16, 4], [8, 6]],
};

/** Terms of a chunk at most. */
export const CHUNK_DEPTH = 96;

/** V8's flag. */
export const FLAG = "--experimental-wasm-revectorize";

/** The memories: the module's own one must be the first. */
const [OWN, SHARED] = [0, 1];
/** The parameters: see matmul_strips.c. */
const [B, A, A_LINE, ROWS, DEPTH, FROM, FROM_LINE, TO, TO_LINE] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
const PARAMETERS = 9;
/** Integers: zero, on which constant addresses are based; terms that are left out; the row of C at hand; rows still to be fetched; the rows of A. */
const [ZERO, SKIP, ROW, UNREAD, LINES] = [PARAMETERS, PARAMETERS + 1, PARAMETERS + 2, PARAMETERS + 3, PARAMETERS + 4];

/** 0, 1, ... up to `count`, which is left out. */
function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** The address of row `row` from that of the row before: the same if there are no more than `row` left, so that the last repeats itself. */
function next(address: number, line: number, row: number, left: number): Code {
  return [
    OP.get(address),
    [OP.get(line), OP.i32Const(0), OP.get(left), OP.i32Const(row), OP.i32GtS, OP.select],
    OP.i32Add,
  ];
}

/** Does something with each row of a tile; ROW is its address. Afterwards `start` is that of the next tile's first. */
function eachRow(rows: number, [start, line, left]: [number, number, number], code: (row: number) => Code): Code {
  return [
    [OP.get(start), OP.set(ROW)],
    range(rows).map((i) => [i > 0 ? [next(ROW, line, i, left), OP.set(ROW)] : [], code(i)]),
    [OP.get(ROW), OP.get(line), OP.i32Add, OP.set(start)],
  ];
}

/** The name that matmul_strips.c imports. */
function nameOf(width: number): string {
  return `strip_${width}`;
}

/** Where a tile's numbers are: registers, and places in the module's memory. */
interface TileLayout {
  /** Its vectors in a row, 0, 1, ... */
  lanes: readonly number[];
  /** Its rows. */
  rows: readonly number[];
  /** Whether the numbers of A are held while those of B come one by one, or the other way round. */
  holdsA: boolean;
  /** The first register of the sums, and the one behind the last of all. */
  registers: { first: number; end: number };
  sum(row: number, lane: number): number;
  a(row: number): number;
  b(lane: number): number;
  /** Bytes of a row. */
  bytes: number;
  /** Where the tile is copied to before its sums, and after. */
  before(row: number, lane: number): number;
  after(row: number, lane: number): number;
}

function layoutOf([width, rowCount]: Tile): TileLayout {
  const lanes = range(width / 4);
  const holdsA = rowCount < lanes.length;
  const first = LINES + rowCount;
  const held = first + rowCount * lanes.length;
  const heldCount = holdsA ? rowCount : lanes.length;
  const bytes = 4 * width;
  return {
    lanes,
    rows: range(rowCount),
    holdsA,
    registers: { first, end: held + heldCount + 1 },
    sum: (row, lane) => first + row * lanes.length + lane,
    a: (row) => holdsA ? held + row : held + heldCount,
    b: (lane) => holdsA ? held + heldCount : held + lane,
    bytes,
    before: (row, lane) => bytes * (CHUNK_DEPTH + row) + 16 * lane,
    after: (row, lane) => bytes * (CHUNK_DEPTH + rowCount + row) + 16 * lane,
  };
}

/** One term of all sums. */
function termOf({ lanes, rows, holdsA, sum, a, b, bytes }: TileLayout): Piece[] {
  const add = (i: number, j: number): Code => [
    [OP.get(a(i)), OP.get(b(j)), OP.get(sum(i, j))],
    [OP.f32x4RelaxedMadd, OP.set(sum(i, j))],
  ];
  const loadA = (i: number, then: Code): Piece => ({
    before: [OP.get(LINES + i), OP.v128Load32Splat(SHARED)],
    offset: (p) => 4 * p,
    after: [OP.set(a(i)), then],
  });
  const loadB = (j: number, then: Code): Piece => ({
    before: [OP.get(ZERO), OP.v128Load(OWN)],
    offset: (p) => bytes * p + 16 * j,
    after: [OP.set(b(j)), then],
  });
  return holdsA
    ? [...rows.map((i) => loadA(i, [])), ...lanes.map((j) => loadB(j, rows.map((i) => add(i, j))))]
    : [...lanes.map((j) => loadB(j, [])), ...rows.map((i) => loadA(i, lanes.map((j) => add(i, j))))];
}

/** How a tile of C reaches the sums and comes back; `fetch` is what is done for the first one before. */
interface Transfer {
  fetch: Code;
  begin: Code;
  end: Code;
}

function directTransfer({ lanes, rows, sum }: TileLayout): Transfer {
  return {
    fetch: [],
    begin: eachRow(
      rows.length,
      [FROM, FROM_LINE, ROWS],
      (i) => lanes.map((j) => [OP.get(ROW), OP.v128Load(SHARED), OP.offset(16 * j), OP.set(sum(i, j))]),
    ),
    end: eachRow(
      rows.length,
      [TO, TO_LINE, ROWS],
      (i) => lanes.map((j) => [OP.get(ROW), OP.get(sum(i, j)), OP.v128Store(SHARED), OP.offset(16 * j)]),
    ),
  };
}

/** By way of the module's memory. */
function copiedTransfer({ lanes, rows, sum, before, after }: TileLayout): Transfer {
  const eachSum = (code: (row: number, lane: number) => Code): Code => rows.map((i) => lanes.map((j) => code(i, j)));
  const fetch = eachRow(rows.length, [FROM, FROM_LINE, UNREAD], (i) =>
    lanes.map((j) => [
      [OP.get(ZERO), OP.get(ROW), OP.v128Load(SHARED), OP.offset(16 * j)],
      [OP.v128Store(OWN), OP.offset(before(i, j))],
    ]));
  return {
    fetch,
    begin: [
      eachSum((i, j) => [OP.get(ZERO), OP.v128Load(OWN), OP.offset(before(i, j)), OP.set(sum(i, j))]),
      // A tile ahead, as a load of 32 bytes stalls if two stores of 16 to them are not through; not where all rows are the same.
      [OP.get(UNREAD), OP.i32Const(rows.length), OP.i32Sub, OP.set(UNREAD)],
      [OP.get(UNREAD), OP.i32Const(0), OP.get(FROM_LINE), OP.select, OP.i32Const(0), OP.i32GtS, OP.if(fetch)],
    ],
    end: [
      eachSum((i, j) => [OP.get(ZERO), OP.get(sum(i, j)), OP.v128Store(OWN), OP.offset(after(i, j))]),
      eachRow(rows.length, [TO, TO_LINE, ROWS], (i) =>
        lanes.map((j) => [
          [OP.get(ROW), OP.get(ZERO), OP.v128Load(OWN), OP.offset(after(i, j))],
          [OP.v128Store(SHARED), OP.offset(16 * j)],
        ])),
    ],
  };
}

/** A strip of C and so many terms of its sums: see matmul_strips.c. */
function strip(tile: Tile, bits: 128 | 256): CodeFunction {
  const layout = layoutOf(tile);
  const [width, rowCount] = tile;
  const { rows, bytes, registers } = layout;
  const { fetch, begin, end } = bits === 128 ? directTransfer(layout) : copiedTransfer(layout);
  return {
    name: nameOf(width),
    integers: registers.first - PARAMETERS,
    vectors: registers.end - registers.first,
    code: [
      [OP.i32Const(CHUNK_DEPTH), OP.get(DEPTH), OP.i32Sub, OP.set(SKIP)],
      [OP.get(SKIP), OP.i32Const(bytes), OP.i32Mul, OP.get(B), OP.get(DEPTH), OP.i32Const(bytes), OP.i32Mul],
      OP.memoryCopy(OWN, SHARED),
      [OP.get(A), OP.get(SKIP), OP.i32Const(4), OP.i32Mul, OP.i32Sub, OP.set(A)],
      [OP.get(ROWS), OP.set(UNREAD)],
      fetch,
      OP.loop([
        begin,
        rows.map((i) => [i > 0 ? next(LINES + i - 1, A_LINE, i, ROWS) : OP.get(A), OP.set(LINES + i)]),
        OP.from(OP.get(SKIP), copies(CHUNK_DEPTH, termOf(layout))),
        end,
        [OP.get(LINES + rowCount - 1), OP.get(A_LINE), OP.i32Add, OP.set(A)],
        [OP.get(ROWS), OP.i32Const(rowCount), OP.i32Sub, OP.set(ROWS)],
        [OP.get(ROWS), OP.i32Const(0), OP.i32GtS, OP.brIf],
      ]),
    ],
  };
}

/** A set of strips, compiled. */
export interface StripModule {
  /** Imports `env.own` (a page) and `env.memory`. */
  module: WebAssembly.Module;
  /** Which set. */
  bits: 128 | 256;
}

/**
 * Compiles a set of strips.
 *
 * @param bits Which.
 * @param shared Whether tfjs's memory, in which the operands stand, is shared between threads.
 * @returns The module; undefined if the engine has not got what it needs.
 */
export function compileStrips(bits: 128 | 256, shared: boolean): StripModule | undefined {
  const memories = [
    { name: "own", least: 1, most: 1, shared: false },
    { name: "memory", least: 1, most: 65536, shared },
  ];
  const bytes = moduleBytes(PARAMETERS, TILES[bits].map((tile) => strip(tile, bits)), memories);
  return WebAssembly.validate(bytes) ? { module: new WebAssembly.Module(bytes), bits } : undefined;
}

/**
 * What the C kernels import of strips, for a thread; it stands alone, as it is run in workers too.
 *
 * @param kernels The C kernels.
 * @param strips A set, or none.
 * @param memory tfjs's memory.
 * @returns The functions, and of which set they are: 0 if they do nothing, as there is none or no room for its memory.
 */
export function stripImports(
  kernels: WebAssembly.Module,
  strips: StripModule | undefined,
  memory: WebAssembly.Memory,
): { strip: WebAssembly.ModuleImports; bits: 0 | 128 | 256 } {
  const strip: WebAssembly.ModuleImports = {};
  for (const { module, name } of WebAssembly.Module.imports(kernels)) {
    if (module === "strip") strip[name] = () => {};
  }
  if (!strips) return { strip, bits: 0 };
  let own: WebAssembly.Memory;
  try {
    own = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  } catch {
    return { strip, bits: 0 };
  }
  const { exports } = new WebAssembly.Instance(strips.module, { env: { own, memory } });
  return { strip: { ...strip, ...exports }, bits: strips.bits };
}
