/**
 * The matrix product's micro-kernel for V8's revectoriser, which makes one 256-bit instruction of two 128-bit ones (flag
 * `--experimental-wasm-revectorize`, x86-64 with AVX2).
 *
 * It joins two neighbouring loads or stores only if nothing that may trap stands between them, and Deno's V8 checks the
 * bounds of every access whose address is not a constant. So what is loaded or stored in pairs stands at constant
 * addresses, where V8 sees that it is in bounds: a chunk of B and the tile of C are copied into a memory of the module's
 * own, and the loop over the chunk's depth is written out. That memory has to be the module's first, the only one whose
 * start V8 keeps at hand: otherwise it does not see that two addresses are neighbours.
 *
 * The sums are those of matmul_micro_kernel.c to the bit: one chain for each output, ascending in k, begun from the bias or from C.
 *
 * Measured on one thread of a Xeon with AVX-512, GFLOP/s: 3 x 24, depth 96, 97 to 101, where 128-bit code reaches 57 at
 * most; depth 64 92 to 98; 4 x 16 88 to 92; 5 x 16 94 to 98. Without the flag 12: the sums then do not fit the registers.
 *
 * @module
 */
import { type Code, type CodeFunction, moduleBytes, OP } from "./assembler.ts";

/** Rows of a tile. */
const TILE_ROWS = 3;
/** Columns of a tile: the widest has nine 256-bit sums, three of B and one of A, of the 15 registers V8 leaves free. */
export const TILE_WIDTHS = [24, 16, 8] as const;
/** Depths of a chunk. */
export const CHUNK_DEPTHS = [96, 64, 48, 24, 8] as const;

/** V8's flag. */
export const FLAG = "--experimental-wasm-revectorize";

/** The memories: the module's own one must be the first. */
const [OWN, SHARED] = [0, 1];
/** The parameters: see matmul_wide.c. */
const [B, A, ROWS, INIT, FROM, FROM_LINE, TO, TO_LINE] = [0, 1, 2, 3, 4, 5, 6, 7];
const PARAMETERS = 8;
/** Integers: zero, on which constant addresses are based; the row of C at hand; how many rows are still to be fetched. */
const [ZERO, ROW, UNREAD] = [PARAMETERS, PARAMETERS + 1, PARAMETERS + 2];
const VECTORS = PARAMETERS + 3;

/** 0, 1, ... up to `count`, which is left out. */
function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Counts a tile's rows off. */
function countOff(rows: number): number[] {
  return [...OP.get(rows), ...OP.i32Const(TILE_ROWS), ...OP.i32Sub, ...OP.set(rows)];
}

/**
 * Does something with each row of a tile, or with as many as there are left; ROW is its address. Afterwards `start` is that
 * of the next tile's first.
 */
function eachRow(start: number, line: number, left: number, code: (row: number) => Code): number[] {
  return [
    ...[...OP.get(start), ...OP.set(ROW)],
    ...OP.block(
      range(TILE_ROWS).flatMap((i) => [
        ...[...OP.get(left), ...OP.i32Const(i), ...OP.i32LeS, ...OP.brIf],
        ...code(i),
        ...[...OP.get(ROW), ...OP.get(line), ...OP.i32Add, ...OP.set(ROW)],
      ]),
    ),
    ...[...OP.get(ROW), ...OP.set(start)],
    ...countOff(left),
  ];
}

/** The name that matmul_wide.c imports. */
function nameOf(width: number, depth: number): string {
  return `strip_${width}_${depth}`;
}

/** A strip of C, `width` columns, and so many terms of its sums: see matmul_wide.c. */
function strip(width: number, depth: number): CodeFunction {
  const lanes = range(width / 4);
  const rows = range(TILE_ROWS);
  const [chunk, before, after] = [0, 4 * depth * width, 4 * (depth + TILE_ROWS) * width];
  const address = (row: number, lane: number): number => 4 * row * width + 16 * lane;
  const sum = (row: number, lane: number): number => VECTORS + row * lanes.length + lane;
  const b = (lane: number): number => VECTORS + TILE_ROWS * lanes.length + lane;
  const a = VECTORS + (TILE_ROWS + 1) * lanes.length;

  const copyIn = (to: number, from: number, bytes: number): number[] => [
    ...OP.i32Const(to),
    ...OP.get(from),
    ...OP.i32Const(bytes),
    ...OP.memoryCopy(OWN, SHARED),
  ];
  const fetchRow = (row: number): number[] =>
    lanes.flatMap((j) => [
      ...OP.get(ZERO),
      ...OP.get(ROW),
      ...OP.v128Load(SHARED, 16 * j),
      ...OP.v128Store(OWN, before + address(row, j)),
    ]);
  const returnRow = (row: number): number[] =>
    lanes.flatMap((j) => [
      ...OP.get(ROW),
      ...OP.get(ZERO),
      ...OP.v128Load(OWN, after + address(row, j)),
      ...OP.v128Store(SHARED, 16 * j),
    ]);
  // A tile ahead: a load of 32 bytes stalls if two stores of 16 to them are not through.
  const fetch = [...OP.get(INIT), ...OP.ifZero(eachRow(FROM, FROM_LINE, UNREAD, fetchRow))];
  const eachSum = (code: (row: number, lane: number) => Code): number[] =>
    rows.flatMap((i) => lanes.flatMap((j) => [...code(i, j)]));
  const term = (p: number): number[] => [
    ...lanes.flatMap((j) => [...OP.get(ZERO), ...OP.v128Load(OWN, chunk + address(p, j)), ...OP.set(b(j))]),
    ...rows.flatMap((i) => [
      ...OP.get(A),
      ...OP.v128Load32Splat(SHARED, 4 * (p * TILE_ROWS + i)),
      ...OP.set(a),
      ...lanes.flatMap((j) => [
        ...OP.get(a),
        ...OP.get(b(j)),
        ...OP.get(sum(i, j)),
        ...OP.f32x4RelaxedMadd,
        ...OP.set(sum(i, j)),
      ]),
    ]),
  ];
  return {
    name: nameOf(width, depth),
    integers: VECTORS - PARAMETERS,
    vectors: a + 1 - VECTORS,
    code: [
      ...copyIn(chunk, B, 4 * depth * width),
      ...OP.get(INIT),
      ...OP.if(rows.flatMap((i) => copyIn(before + address(i, 0), INIT, 4 * width))),
      ...[...OP.get(ROWS), ...OP.set(UNREAD)],
      ...fetch,
      ...OP.loop([
        ...eachSum((i, j) => [...OP.get(ZERO), ...OP.v128Load(OWN, before + address(i, j)), ...OP.set(sum(i, j))]),
        ...fetch,
        ...range(depth).flatMap(term),
        ...eachSum((i, j) => [...OP.get(ZERO), ...OP.get(sum(i, j)), ...OP.v128Store(OWN, after + address(i, j))]),
        ...eachRow(TO, TO_LINE, ROWS, returnRow),
        ...[...OP.get(A), ...OP.i32Const(4 * depth * TILE_ROWS), ...OP.i32Add, ...OP.set(A)],
        ...[...OP.get(ROWS), ...OP.i32Const(0), ...OP.i32GtS, ...OP.brIf],
      ]),
    ],
  };
}

/** The strips of one thread, compiled. */
export interface WideModule {
  /** The module, which imports `env.own` (a page) and `env.memory`. */
  module: WebAssembly.Module;
  /** Whether its functions do anything. */
  on: boolean;
}

/**
 * Compiles the strips.
 *
 * @param wanted Whether they will be used; if not, or if the engine has not got what they need, they are empty.
 * @param shared Whether tfjs's memory, in which the operands stand, is shared between threads.
 * @returns The module.
 */
export function compileWide(wanted: boolean, shared: boolean): WideModule {
  const sizes = TILE_WIDTHS.flatMap((width) => CHUNK_DEPTHS.map((depth) => [width, depth] as const));
  if (wanted) {
    const memories = [
      { name: "own", least: 1, most: 1, shared: false },
      { name: "memory", least: 1, most: 65536, shared },
    ];
    const bytes = moduleBytes(PARAMETERS, sizes.map(([width, depth]) => strip(width, depth)), memories);
    if (WebAssembly.validate(bytes)) return { module: new WebAssembly.Module(bytes), on: true };
  }
  const empty = sizes.map(([width, depth]) => ({ name: nameOf(width, depth), integers: 0, vectors: 0, code: [] }));
  return { module: new WebAssembly.Module(moduleBytes(PARAMETERS, empty, [])), on: false };
}
