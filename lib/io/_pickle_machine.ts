/** What a pickle's opcodes do: a stack, marks and a memo, each bounded, and nothing but the globals that are allowed. @module */
import { quoted } from "./_errors.ts";

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
  readonly global: string;

  /** An object of the class or function `global`. */
  constructor(global: string) {
    this.global = global;
  }
}

/** An object that takes a state (BUILD). */
export interface Stateful {
  /** Takes the state. @throws {Error} If it is not what such an object has. */
  setState(state: unknown): void;
}

/** The name of a Python global, if a value is one. */
export function globalOf(value: unknown): string | undefined {
  const isNamed = typeof value === "object" && value !== null && "global" in value;
  return isNamed && typeof value.global === "string" ? value.global : undefined;
}

function isGlobal(value: unknown): value is PickleGlobal {
  return globalOf(value) !== undefined;
}

function isStateful(value: unknown): value is Stateful {
  return typeof value === "object" && value !== null && "setState" in value && typeof value.setState === "function";
}

/** Whether a value is read past where tensors and plain values are looked for: an opaque object, bytes, or a bare class. */
export function isPassedOver(value: unknown): boolean {
  return value instanceof Uint8Array || globalOf(value) !== undefined;
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

/** Most dicts, lists and tuples in one pickle (a tensor takes five). */
const MAX_CONTAINERS = 1_000_000;
/** Most values remembered: ten for each tensor of the largest file. */
const MAX_MEMO = 1_000_000;
/** Longest key of a dict, in characters: it becomes part of a tensor's name. */
const MAX_KEY = 4096;
/** Most values on the stack at once (CPython writes a dict in batches of 1,000 items). */
const MAX_STACK = 100_000;

/** The unpickler's memory. */
export class Machine {
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
    const callable = this.pop();
    if (!isGlobal(callable) || !Array.isArray(args) || !(callable.call || callable.opaque)) {
      throw new Error(
        `the pickle calls ${quoted(globalOf(callable) ?? "what is not a function")}, which is not allowed`,
      );
    }
    const { call, global } = callable;
    // A function may go over a list that is there once and given a million times.
    for (const arg of args) if (Array.isArray(arg)) this.#count(arg.length);
    this.make(call ? call(args) : new Opaque(global));
  }

  newObject(): void {
    this.pop(); // its arguments
    const made = this.pop();
    if (!isGlobal(made) || !(made.create || made.opaque)) {
      const shown = quoted(globalOf(made) ?? "what is not a class");
      throw new Error(`the pickle makes an object of ${shown}, which is not allowed`);
    }
    const { create, global } = made;
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
    const target = this.pop();
    if (isStateful(target)) target.setState(state);
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
