/** Bytes of a wasm module, as far as matmul_wide.ts needs them. @module */

/** Some bytes. */
export type Code = readonly number[];

/** An unsigned integer, seven bits a byte (LEB128). */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  do {
    bytes.push((value & 127) | (value > 127 ? 128 : 0));
    value >>>= 7;
  } while (value > 0);
  return bytes;
}

/** A signed integer (LEB128) that is not negative. */
function signed(value: number): number[] {
  const bytes = unsigned(value);
  const last = bytes.at(-1)!;
  return last & 64 ? [...bytes.slice(0, -1), last | 128, 0] : bytes;
}

/** A count, then so many items. */
function vector(items: readonly Code[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function text(value: string): number[] {
  return [...unsigned(value.length), ...new TextEncoder().encode(value)];
}

function section(id: number, items: readonly Code[]): number[] {
  const body = vector(items);
  return [id, ...unsigned(body.length), ...body];
}

const [I32, V128] = [0x7f, 0x7b];
/** A block that leaves nothing on the stack. */
const EMPTY = 0x40;

const get = (local: number): number[] => [0x20, ...unsigned(local)];
const set = (local: number): number[] => [0x21, ...unsigned(local)];
const simd = (op: number): number[] => [0xfd, ...unsigned(op)];
/** Alignment of 4 bytes, which memory, the constant offset. */
const place = (memory: number, offset: number): number[] => [2 | 64, memory, ...unsigned(offset)];

/** The instructions in use, under their names in WebAssembly. Locals are numbered, parameters first. */
export const OP = {
  /** local.get */
  get,
  /** local.set */
  set,
  /** i32.const, of a number that is not negative. */
  i32Const: (value: number): number[] => [0x41, ...signed(value)],
  /** i32.add */
  i32Add: [0x6a],
  /** i32.sub */
  i32Sub: [0x6b],
  /** i32.gt_s */
  i32GtS: [0x4a],
  /** i32.le_s */
  i32LeS: [0x4c],
  /** i32.eqz and if: runs the code if what is popped is zero. */
  ifZero: (code: Code): number[] => [0x45, 0x04, EMPTY, ...code, 0x0b],
  /** if: runs the code if what is popped is not zero. */
  if: (code: Code): number[] => [0x04, EMPTY, ...code, 0x0b],
  /** block: `brIf` inside goes to its end. */
  block: (code: Code): number[] => [0x02, EMPTY, ...code, 0x0b],
  /** loop: `brIf` inside goes to its start. */
  loop: (code: Code): number[] => [0x03, EMPTY, ...code, 0x0b],
  /** br_if, out of the innermost block or to the start of the innermost loop. */
  brIf: [0x0d, 0],
  /** v128.load */
  v128Load: (memory: number, offset: number): number[] => [...simd(0), ...place(memory, offset)],
  /** v128.load32_splat */
  v128Load32Splat: (memory: number, offset: number): number[] => [...simd(9), ...place(memory, offset)],
  /** v128.store */
  v128Store: (memory: number, offset: number): number[] => [...simd(11), ...place(memory, offset)],
  /** f32x4.relaxed_madd: a b + c, rounded once where the machine can. */
  f32x4RelaxedMadd: simd(0x105),
  /** memory.copy from one memory to another: their addresses there and here and how many bytes are popped. */
  memoryCopy: (to: number, from: number): number[] => [0xfc, 10, to, from],
} as const;

/** A function of integers that returns nothing. */
export interface CodeFunction {
  /** The exported name. */
  name: string;
  /** Further locals: integers. */
  integers: number;
  /** Then so many vectors. */
  vectors: number;
  /** Its instructions. */
  code: Code;
}

/**
 * A module.
 *
 * @param parameters Integers that each function takes.
 * @param functions Its functions.
 * @param memories Imported from `env`: name, pages at least and at most, whether shared.
 * @returns The bytes.
 */
export function moduleBytes(
  parameters: number,
  functions: readonly CodeFunction[],
  memories: readonly { name: string; least: number; most: number; shared: boolean }[],
): Uint8Array<ArrayBuffer> {
  const type = [0x60, ...vector(Array.from({ length: parameters }, () => [I32])), 0];
  const imports = memories.map(({ name, least, most, shared }) => [
    ...text("env"),
    ...text(name),
    2,
    shared ? 3 : 1,
    ...unsigned(least),
    ...unsigned(most),
  ]);
  const bodies = functions.map(({ integers, vectors, code }) => {
    const body = [...vector([[...unsigned(integers), I32], [...unsigned(vectors), V128]]), ...code, 0x0b];
    return [...unsigned(body.length), ...body];
  });
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [type]),
    ...section(2, imports),
    ...section(3, functions.map(() => [0])),
    ...section(7, functions.map(({ name }, i) => [...text(name), 0, ...unsigned(i)])),
    ...section(10, bodies),
  ]);
}
