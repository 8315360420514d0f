/** Pickle protocol 2 as torch.save writes it. @module */
import type { TensorData, TensorDtype } from "./tensors.ts";
import { contiguousStrides } from "./_strides.ts";
import { isTensorData } from "./torch_tree.ts";
import { elementCount } from "./tensors.ts";

const STORAGE_NAMES: Readonly<Record<TensorDtype, string>> = {
  F32: "FloatStorage",
  F16: "HalfStorage",
  BF16: "BFloat16Storage",
  F64: "DoubleStorage",
  I64: "LongStorage",
  I32: "IntStorage",
  I16: "ShortStorage",
  I8: "CharStorage",
  U8: "ByteStorage",
  BOOL: "BoolStorage",
};

/** Deepest nesting written. */
const MAX_DEPTH = 64;
const encoder = new TextEncoder();

/** Collects the bytes of a pickle and the storages it refers to. */
class PickleWriter {
  /** Storages in the order of their keys; a tensor written twice has one. */
  readonly storages: Map<TensorData, number> = new Map();
  readonly #bytes: number[] = [];

  result(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  code(text: string): void {
    for (const byte of encoder.encode(text)) this.#bytes.push(byte);
  }

  raw(...bytes: number[]): void {
    this.#bytes.push(...bytes);
  }

  #word(value: number): void {
    this.raw(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff);
  }

  string(text: string): void {
    const bytes = encoder.encode(text);
    this.code("X"); // BINUNICODE
    this.#word(bytes.length);
    for (const byte of bytes) this.#bytes.push(byte);
  }

  integer(value: bigint): void {
    if (value >= 0n && value < 256n) return this.raw(0x4b, Number(value)); // BININT1
    if (BigInt.asIntN(32, value) === value) {
      this.code("J"); // BININT
      return this.#word(Number(value));
    }
    const bytes: number[] = [];
    let rest = value;
    while (BigInt.asIntN(8 * bytes.length, value) !== value || bytes.length === 0) {
      bytes.push(Number(rest & 0xffn));
      rest >>= 8n;
    }
    if (bytes.length > 255) {
      throw new RangeError(`Cannot write an integer as it must have at most 255 bytes: ${bytes.length}`);
    }
    this.raw(0x8a, bytes.length, ...bytes); // LONG1
  }

  float(value: number): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, false);
    this.raw(0x47, ...bytes); // BINFLOAT
  }

  #sizes(sizes: readonly number[]): void {
    this.code("(");
    for (const size of sizes) this.integer(BigInt(size));
    this.code("t");
  }

  tensor(t: TensorData): void {
    const key = this.storages.get(t) ?? this.storages.size;
    this.storages.set(t, key);
    this.code("ctorch._utils\n_rebuild_tensor_v2\n((");
    this.string("storage");
    this.code(`ctorch\n${STORAGE_NAMES[t.dtype]}\n`);
    this.string(String(key));
    this.string("cpu");
    this.integer(BigInt(elementCount(t.shape)));
    this.code("tQK\x00"); // BINPERSID, then offset 0
    this.#sizes(t.shape);
    this.#sizes(contiguousStrides(t.shape));
    this.raw(0x89); // no gradient
    this.code("ccollections\nOrderedDict\n)RtR");
  }

  value(value: unknown, path: string, depth = 0): void {
    const fail = (what: string): TypeError =>
      new TypeError(`Cannot write "${path}" as values must be tensors, dicts, lists or plain values: it is ${what}`);
    if (depth > MAX_DEPTH) throw fail(`nested more than ${MAX_DEPTH} deep`);
    if (value === null) this.code("N");
    else if (typeof value === "boolean") this.raw(value ? 0x88 : 0x89);
    else if (typeof value === "bigint") this.integer(value);
    else if (typeof value === "number") {
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) this.integer(BigInt(value));
      else this.float(value);
    } else if (typeof value === "string") this.string(value);
    else if (isTensorData(value)) this.tensor(value);
    else if (Array.isArray(value)) {
      this.code(Object.isFrozen(value) ? "(" : "](");
      value.forEach((item, i) => this.value(item, `${path}.${i}`, depth + 1));
      this.code(Object.isFrozen(value) ? "t" : "e");
    } else if (typeof value === "object") {
      this.code("}(");
      for (const [key, item] of value instanceof Map ? value : Object.entries(value)) {
        this.value(key, `${path} key`, depth + 1);
        this.value(item, `${path}.${key}`, depth + 1);
      }
      this.code("u");
    } else throw fail(`a ${typeof value}`);
  }
}

/**
 * Pickles a tree with protocol 2; tensors refer to storages `0`, `1`, ... in the order of `storages`.
 *
 * @throws {TypeError} If a value is not a tensor, dict, list or plain value; the message names it.
 */
export function pickleTree(tree: unknown): { pickle: Uint8Array; storages: TensorData[] } {
  const writer = new PickleWriter();
  writer.raw(0x80, 2);
  writer.value(tree, "(file)");
  writer.code(".");
  return { pickle: writer.result(), storages: [...writer.storages.keys()] };
}
