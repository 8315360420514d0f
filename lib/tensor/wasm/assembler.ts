/** Bytes of a wasm module, as far as matmul_strips.ts needs them. @module */

/** Some bytes, nested as they were put together: they are laid out at the end, as copying them at each step would take long. */
export type Code = number | Uint8Array | readonly Code[];

function lengthOf(code: Code): number {
  if (typeof code === "number") return 1;
  if (code instanceof Uint8Array) return code.length;
  let length = 0;
  for (const part of code) length += lengthOf(part);
  return length;
}

/** Lays code out from an offset on, and returns its end. */
function write(code: Code, to: Uint8Array, offset: number): number {
  if (typeof code === "number") {
    to[offset] = code;
    return offset + 1;
  }
  if (code instanceof Uint8Array) {
    to.set(code, offset);
    return offset + code.length;
  }
  for (const part of code) offset = write(part, to, offset);
  return offset;
}

function layOut(code: Code): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(lengthOf(code));
  write(code, bytes, 0);
  return bytes;
}

/** Code with an offset within that is not always the same. */
export interface Piece {
  /** What stands before it, the end of a load or store. */
  before: Code;
  /** The offset, in the code's p-th copy. */
  offset: (p: number) => number;
  /** What follows. */
  after: Code;
}

/**
 * Lays the same code out many times: only the offsets are written again, as generating all takes ten times as long.
 *
 * @param count How many times.
 * @param pieces The code; offsets below 2^21.
 * @returns The copies.
 */
export function copies(count: number, pieces: readonly Piece[]): Uint8Array[] {
  const places: number[] = [];
  let end = 0;
  for (const { before, after } of pieces) {
    places.push(end += lengthOf(before));
    end += 3 + lengthOf(after);
  }
  const template = layOut(pieces.map(({ before, after }) => [before, [0, 0, 0], after]));
  return Array.from({ length: count }, (_, p) => {
    const bytes = template.slice();
    for (let i = 0; i < pieces.length; i++) {
      const place = places[i]!, value = pieces[i]!.offset(p);
      bytes[place] = value & 127 | 128;
      bytes[place + 1] = value >> 7 & 127 | 128;
      bytes[place + 2] = value >> 14;
    }
    return bytes;
  });
}

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
function vector(items: readonly Code[]): Code {
  return [unsigned(items.length), items];
}

function text(value: string): number[] {
  return [...unsigned(value.length), ...new TextEncoder().encode(value)];
}

/** Bytes behind their number. */
function sized(code: Code): Code {
  const bytes = layOut(code);
  return [unsigned(bytes.length), bytes];
}

function section(id: number, items: readonly Code[]): Code {
  return [id, sized(vector(items))];
}

const [I32, V128] = [0x7f, 0x7b];
/** A block that leaves nothing on the stack. */
const EMPTY = 0x40;

const simd = (op: number): Code => [0xfd, unsigned(op)];
/** Alignment of 4 bytes, and which memory. */
const place = (memory: number): Code => [2 | 64, memory];

/** The instructions in use, under their names in WebAssembly. Locals are numbered, parameters first. */
export const OP = {
  /** local.get */
  get: (local: number): Code => [0x20, unsigned(local)],
  /** local.set */
  set: (local: number): Code => [0x21, unsigned(local)],
  /** i32.const, of a number that is not negative. */
  i32Const: (value: number): Code => [0x41, signed(value)],
  /** i32.add */
  i32Add: 0x6a,
  /** i32.sub */
  i32Sub: 0x6b,
  /** i32.mul */
  i32Mul: 0x6c,
  /** i32.gt_s */
  i32GtS: 0x4a,
  /** select: the first of two numbers if what is popped last is not zero, else the second. */
  select: 0x1b,
  /** if: runs the code if what is popped is not zero. */
  if: (code: Code): Code => [0x04, EMPTY, code, 0x0b],
  /** loop: `brIf` inside goes to its start. */
  loop: (code: Code): Code => [0x03, EMPTY, code, 0x0b],
  /** br_if, to the start of the innermost loop. */
  brIf: [0x0d, 0],
  /** Nested blocks and br_table: runs the parts from that on whose number is popped. */
  from: (start: Code, parts: readonly Code[]): Code => [
    parts.map(() => [0x02, EMPTY]),
    [start, 0x0e, unsigned(parts.length - 1), parts.map((_, i) => unsigned(i))],
    parts.map((part) => [0x0b, part]),
  ],
  /** v128.load; as all three, an offset follows. */
  v128Load: (memory: number): Code => [simd(0), place(memory)],
  /** v128.load32_splat */
  v128Load32Splat: (memory: number): Code => [simd(9), place(memory)],
  /** v128.store */
  v128Store: (memory: number): Code => [simd(11), place(memory)],
  /** The constant that is added to an address. */
  offset: unsigned,
  /** f32x4.relaxed_madd: a b + c, rounded once where the machine can. */
  f32x4RelaxedMadd: simd(0x105),
  /** memory.copy from one memory to another: their addresses there and here and how many bytes are popped. */
  memoryCopy: (to: number, from: number): Code => [0xfc, 10, to, from],
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
  const type = [0x60, vector(Array.from({ length: parameters }, () => I32)), 0];
  const imports = memories.map(({ name, least, most, shared }) => [
    text("env"),
    text(name),
    2,
    shared ? 3 : 1,
    unsigned(least),
    unsigned(most),
  ]);
  const bodies = functions.map(({ integers, vectors, code }) =>
    sized([vector([[unsigned(integers), I32], [unsigned(vectors), V128]]), code, 0x0b])
  );
  return layOut([
    [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    section(1, [type]),
    section(2, imports),
    section(3, functions.map(() => 0)),
    section(7, functions.map(({ name }, i) => [text(name), 0, unsigned(i)])),
    section(10, bodies),
  ]);
}
