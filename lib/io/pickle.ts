/**
 * An unpickler that can build plain values and nothing else: each opcode and each global must be on a list. Objects of the
 * classes a caller calls opaque are read past: their place is kept, nothing of theirs is run.
 *
 * Source: CPython's Lib/pickletools.py (protocols 2 to 5) and torch/_weights_only_unpickler.py for which opcodes a state dict
 * needs; this list adds protocol 4's strings and memo.
 *
 * @module
 */
import { OPCODE_NAMES } from "./_pickle_opcodes.ts";
import { quoted, unreadable } from "./_errors.ts";

/** A global the caller allows: a class that is only named, or a function that is also called. */
export interface PickleGlobal {
  /** Its dotted name. */
  readonly global: string;
  /** Builds a value from the arguments of REDUCE; without it the global cannot be called. */
  readonly call?: (args: readonly unknown[]) => unknown;
  /** Builds an empty object of it, for NEWOBJ. */
  readonly create?: () => unknown;
  /** Whatever is built of it is an {@linkcode Opaque}. @default {false} */
  readonly opaque?: boolean;
}

/** An object that is read past: what it was built of is gone, what is added to it is dropped. */
export class Opaque {
  /** An object of the class or function `global`. */
  constructor(readonly global: string) {}
}

/** An object that takes a state (BUILD). */
export interface Stateful {
  /** Takes the state. @throws {Error} If it is not what such an object has. */
  setState(state: unknown): void;
}

/** Whether a value is read past where tensors and plain values are looked for: an opaque object, bytes, or a bare class. */
export function isPassedOver(value: unknown): boolean {
  return value instanceof Uint8Array || typeof (value as { global?: unknown } | null)?.global === "string";
}

/** What an unpickler lets a pickle do. */
export interface UnpickleOptions {
  /** What messages call the file. */
  name: string;
  /** The global of a dotted name, or undefined when it is not allowed. */
  findGlobal: (dotted: string) => PickleGlobal | undefined;
  /** The object of a persistent id (PyTorch's storages). */
  persistentLoad: (id: unknown) => unknown;
}

/** Longest pickled integer, in bytes. */
const MAX_INTEGER_BYTES = 255;
/** Most dicts, lists and tuples in one pickle (a tensor takes five). */
const MAX_CONTAINERS = 1_000_000;
/** Most values remembered: ten for each tensor of the largest file. */
const MAX_MEMO = 1_000_000;
/** Longest key of a dict, in characters: it becomes part of a tensor's name. */
const MAX_KEY = 4096;
/** Most values on the stack at once (CPython writes a dict in batches of 1,000 items). */
const MAX_STACK = 100_000;

class Cursor {
  position = 0;
  #bytes: Uint8Array;
  #view: DataView;
  #text: TextDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  take(length: number): Uint8Array {
    const begin = this.position;
    if (length > this.#bytes.length - begin) {
      throw new Error(`the pickle must go on for ${length} bytes at ${begin}: it ends at ${this.#bytes.length}`);
    }
    this.position += length;
    return this.#bytes.subarray(begin, begin + length);
  }

  u8(): number {
    return this.take(1)[0]!;
  }

  #advance(length: number): number {
    this.take(length);
    return this.position - length;
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  u64(): number {
    return Number(this.#view.getBigUint64(this.#advance(8), true));
  }

  f64(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  string(length: number): string {
    const bytes = this.take(length);
    try {
      return this.#text.decode(bytes);
    } catch {
      throw new Error(`a string at ${this.position - length} must be UTF-8`);
    }
  }

  line(): string {
    const end = this.#bytes.indexOf(10, this.position);
    if (end < 0) throw new Error("a name in the pickle must end with a line feed");
    const text = this.string(end - this.position);
    this.position++;
    return text;
  }

  integer(length: number): number | bigint {
    if (length > MAX_INTEGER_BYTES) {
      throw new Error(`an integer must have at most ${MAX_INTEGER_BYTES} bytes: it has ${length}`);
    }
    let value = 0n;
    for (const byte of this.take(length).toReversed()) value = (value << 8n) | BigInt(byte);
    const signed = BigInt.asIntN(length * 8, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }
}

class Machine {
  stack: unknown[] = [];
  #marks: number[] = [];
  #memo: Map<number, unknown> = new Map();
  #containers = 0;
  #options: UnpickleOptions;

  constructor(options: UnpickleOptions) {
    this.#options = options;
  }

  push(value: unknown): void {
    if (this.stack.push(value) > MAX_STACK) throw new Error(`the pickle's stack must hold at most ${MAX_STACK} values`);
  }

  /** Pushes a new dict, list or tuple. */
  make(container: unknown): void {
    this.#count(1);
    this.push(container);
  }

  #count(containers: number): void {
    this.#containers += containers;
    if (this.#containers > MAX_CONTAINERS) {
      throw new Error(`the pickle must hold at most ${MAX_CONTAINERS} dicts, lists and tuples`);
    }
  }

  pop(): unknown {
    if (this.stack.length <= (this.#marks.at(-1) ?? 0)) throw new Error("the pickle takes from an empty stack");
    return this.stack.pop();
  }

  mark(): void {
    if (this.#marks.push(this.stack.length) > MAX_STACK) throw new Error("the pickle has too many marks");
  }

  popToMark(): unknown[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw new Error("the pickle asks for a mark that is not there");
    return this.stack.splice(mark);
  }

  memoGet(index: number): void {
    if (!this.#memo.has(index)) throw new Error(`the pickle asks for memo ${index}, which is not there`);
    this.push(this.#memo.get(index));
  }

  memoPut(index: number = this.#memo.size): void {
    if (this.#memo.size >= MAX_MEMO) throw new Error(`the pickle must remember at most ${MAX_MEMO} values`);
    if (this.stack.length <= (this.#marks.at(-1) ?? 0)) throw new Error("the pickle remembers from an empty stack");
    this.#memo.set(index, this.stack[this.stack.length - 1]);
  }

  global(module: unknown, name: unknown): void {
    const dotted = `${module}.${name}`;
    const allowed = typeof module === "string" && typeof name === "string"
      ? this.#options.findGlobal(dotted)
      : undefined;
    if (!allowed) {
      throw new Error(
        `the pickle asks for the global ${
          quoted(dotted)
        }, which is not allowed: save the state_dict alone, in Python: torch.save(model.state_dict(), "weights.pt")`,
      );
    }
    this.push(allowed);
  }

  reduce(): void {
    const args = this.pop();
    const callable = this.pop() as Partial<PickleGlobal> | null;
    const { call, opaque, global } = callable ?? {};
    if (typeof global !== "string" || !Array.isArray(args) || !(call || opaque)) {
      throw new Error(`the pickle calls ${quoted(String(global ?? "what is not a function"))}, which is not allowed`);
    }
    // A function may go over a list that is there once and given a million times.
    for (const arg of args) if (Array.isArray(arg)) this.#count(arg.length);
    this.make(call ? call(args) : new Opaque(global));
  }

  newObject(): void {
    this.pop(); // its arguments
    const { create, opaque, global } = (this.pop() ?? {}) as Partial<PickleGlobal>;
    if (typeof global !== "string" || !(create || opaque)) {
      const shown = quoted(String(global ?? "what is not a class"));
      throw new Error(`the pickle makes an object of ${shown}, which is not allowed`);
    }
    this.make(create ? create() : new Opaque(global));
  }

  append(items: unknown[]): void {
    const list = this.pop();
    if (list instanceof Opaque) return this.push(list);
    if (!Array.isArray(list) || Object.isFrozen(list)) throw new Error("the pickle appends to what is not a list");
    for (const item of items) list.push(item);
    this.push(list);
  }

  setItems(items: unknown[]): void {
    const dict = this.pop();
    if (dict instanceof Opaque) return this.push(dict);
    if (!(dict instanceof Map) || items.length % 2) throw new Error("the pickle sets items of what is not a dict");
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      if (key === null || isPassedOver(key) || (Array.isArray(key) && Object.isFrozen(key))) continue; // names nothing
      if (typeof key !== "string" && typeof key !== "number" && typeof key !== "boolean") {
        throw new Error("a dict's keys must be strings or numbers");
      }
      if (typeof key === "string" && key.length > MAX_KEY) {
        throw new Error(`a dict's keys must have at most ${MAX_KEY} characters: one has ${key.length}`);
      }
      if (dict.has(key)) throw new Error(`a dict has the key ${quoted(String(key))} twice`);
      dict.set(key, items[i + 1]);
    }
    this.push(dict);
  }

  /** Attributes of an OrderedDict (a state dict's `_metadata`) and of what is opaque are read and left out. */
  build(): void {
    const state = this.pop();
    const target = this.pop() as Partial<Stateful> | null | undefined;
    if (typeof target?.setState === "function") target.setState(state);
    else if (!(target instanceof Opaque || (state instanceof Map && target instanceof Map))) {
      throw new Error("the pickle sets attributes of what is not a dict");
    }
    this.push(target);
  }

  /** A set holds no tensors by name. */
  set(): void {
    this.make(new Opaque("builtins.set"));
  }

  persistent(): void {
    this.push(this.#options.persistentLoad(this.pop()));
  }
}

const tuple = (items: unknown[]): readonly unknown[] => Object.freeze(items);

type Step = (m: Machine, c: Cursor) => void;

const STEPS: Readonly<Record<string, Step>> = {
  MARK: (m) => m.mark(),
  EMPTY_TUPLE: (m) => m.make(tuple([])),
  TUPLE: (m) => m.make(tuple(m.popToMark())),
  TUPLE1: (m) => m.make(tuple([m.pop()])),
  TUPLE2: (m) => m.make(tuple([m.pop(), m.pop()].reverse())),
  TUPLE3: (m) => m.make(tuple([m.pop(), m.pop(), m.pop()].reverse())),
  EMPTY_LIST: (m) => m.make([]),
  APPEND: (m) => m.append([m.pop()]),
  APPENDS: (m) => m.append(m.popToMark()),
  EMPTY_DICT: (m) => m.make(new Map()),
  SETITEM: (m) => m.setItems([m.pop(), m.pop()].reverse()),
  SETITEMS: (m) => m.setItems(m.popToMark()),
  EMPTY_SET: (m) => m.set(),
  ADDITEMS: (m) => m.append(m.popToMark()),
  FROZENSET: (m) => {
    m.popToMark();
    m.set();
  },
  NONE: (m) => m.push(null),
  NEWTRUE: (m) => m.push(true),
  NEWFALSE: (m) => m.push(false),
  BININT: (m, c) => m.push(c.i32()),
  BININT1: (m, c) => m.push(c.u8()),
  BININT2: (m, c) => m.push(c.u16()),
  LONG1: (m, c) => m.push(c.integer(c.u8())),
  LONG4: (m, c) => m.push(c.integer(c.u32())),
  BINFLOAT: (m, c) => m.push(c.f64()),
  BINUNICODE: (m, c) => m.push(c.string(c.u32())),
  SHORT_BINUNICODE: (m, c) => m.push(c.string(c.u8())),
  BINUNICODE8: (m, c) => m.push(c.string(c.u64())),
  BINBYTES: (m, c) => m.push(c.take(c.u32())),
  SHORT_BINBYTES: (m, c) => m.push(c.take(c.u8())),
  BINBYTES8: (m, c) => m.push(c.take(c.u64())),
  BINGET: (m, c) => m.memoGet(c.u8()),
  LONG_BINGET: (m, c) => m.memoGet(c.u32()),
  BINPUT: (m, c) => m.memoPut(c.u8()),
  LONG_BINPUT: (m, c) => m.memoPut(c.u32()),
  MEMOIZE: (m) => m.memoPut(),
  FRAME: (_, c) => void c.u64(),
  GLOBAL: (m, c) => m.global(c.line(), c.line()),
  STACK_GLOBAL: (m) => {
    const name = m.pop();
    m.global(m.pop(), name);
  },
  REDUCE: (m) => m.reduce(),
  NEWOBJ: (m) => m.newObject(),
  NEWOBJ_EX: (m) => {
    m.pop(); // keyword arguments
    m.newObject();
  },
  BUILD: (m) => m.build(),
  BINPERSID: (m) => m.persistent(),
};

function run(bytes: Uint8Array, options: UnpickleOptions): unknown {
  const cursor = new Cursor(bytes);
  const machine = new Machine(options);
  if (cursor.u8() !== 0x80) throw new Error("a pickle must begin with its protocol");
  const protocol = cursor.u8();
  if (protocol < 2 || protocol > 5) throw new Error(`the pickle's protocol must be 2 to 5: found ${protocol}`);
  for (;;) {
    const code = cursor.u8();
    const opcode = OPCODE_NAMES[code];
    if (opcode === "STOP") break;
    const step = opcode === undefined ? undefined : STEPS[opcode];
    if (!step) {
      const shown = opcode ?? `0x${code.toString(16).padStart(2, "0")}`;
      throw new Error(`the pickle has the opcode ${shown} at ${cursor.position - 1}, which is not allowed`);
    }
    step(machine, cursor);
  }
  const value = machine.pop();
  if (machine.stack.length) throw new Error("the pickle leaves more than one value");
  return value;
}

/**
 * Reads a pickle: dicts become Maps, lists arrays, tuples frozen arrays, bytes Uint8Arrays, integers beyond 2^53 bigints. An
 * entry of a dict whose key is no string, number or boolean is left out.
 *
 * @param bytes The pickle; its first value is read.
 * @throws {SyntaxError} If it is damaged, or asks for an opcode or a global that is not allowed; the message names it.
 */
export function unpickle(bytes: Uint8Array, options: UnpickleOptions): unknown {
  try {
    return run(bytes, options);
  } catch (error) {
    throw unreadable(options.name, "a PyTorch file", (error as Error).message);
  }
}
