/** What a PyTorch file holds: nested dicts and lists with tensors as leaves, and their flat dotted names. @module */
import type { TensorData } from "./tensors.ts";
import { globalOf, isPassedOver } from "./_pickle_machine.ts";
import { quoted } from "./_errors.ts";

/** A value of a PyTorch file: dicts are Maps, tuples frozen arrays, integers beyond 2^53 bigints. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | TensorData
  | readonly PickleValue[]
  | ReadonlyMap<string | number | boolean, PickleValue>;

/** Deepest nesting read. */
const MAX_DEPTH = 64;
/** Most values visited; a shared list counts each time it is met, so that a small file cannot stand for a huge tree. */
const MAX_VALUES = 1_000_000;

/** Most characters of all names together: that of 100,000 tensors with names of 600. */
const MAX_NAMES = 1 << 26;

/** Leaves by dotted name: tensors apart from other values; lists of plain values stay lists. */
export interface FlatTree<Leaf> {
  /** Tensors. */
  tensors: Map<string, Leaf>;
  /** Everything else that is not a dict or a list of dicts. */
  values: Record<string, unknown>;
  /** The class of the first object that was left out, if one was. */
  leftOut?: string;
}

/** Whether a value is None, a boolean, a number or a string. */
export const isPlain = (value: unknown): boolean =>
  value === null || ["boolean", "number", "bigint", "string"].includes(typeof value);

/**
 * Flattens a tree to dotted names: `{"a": {"b": [t]}}` gives `a.b.0`. A tree that is one tensor gets the name `tensor`. What is
 * neither (an object of a configuration's class, bytes) is left out.
 *
 * @param isLeaf Whether a value is a tensor.
 * @throws {Error} If two values get one name, something is no plain value, or the tree is too deep or too large.
 */
export function flattenTree<Leaf>(tree: unknown, isLeaf: (value: unknown) => value is Leaf): FlatTree<Leaf> {
  const tensors = new Map<string, Leaf>();
  const values = new Map<string, unknown>();
  let visited = 0;
  let named = 0;
  let leftOut: string | undefined;
  const visit = (value: unknown, path: string, depth: number): void => {
    if (++visited > MAX_VALUES) throw new Error(`the file must hold at most ${MAX_VALUES} values`);
    if (depth > MAX_DEPTH) throw new Error(`values must be nested at most ${MAX_DEPTH} deep`);
    const below = (key: unknown): string => depth === 0 ? String(key) : `${path}.${key}`;
    if (isLeaf(value) || isPlain(value) || (Array.isArray(value) && value.every(isPlain))) {
      const name = depth === 0 ? "tensor" : path;
      if ((named += name.length) > MAX_NAMES) throw new Error(`all names must have at most ${MAX_NAMES} characters`);
      if (tensors.has(name) || values.has(name)) throw new Error(`two values have the name ${quoted(name)}`);
      if (isLeaf(value)) tensors.set(name, value);
      else values.set(name, value);
      if (Array.isArray(value)) visited += value.length;
    } else if (Array.isArray(value)) value.forEach((item, i) => visit(item, below(i), depth + 1));
    else if (value instanceof Map) { for (const [key, item] of value) visit(item, below(key), depth + 1); }
    else if (depth > 0 && isPassedOver(value)) leftOut ??= globalOf(value);
    else throw new Error(`${quoted(path)} must be a tensor or a plain value`);
  };
  visit(tree, "", 0);
  return { tensors, values: Object.fromEntries(values), ...(leftOut === undefined ? {} : { leftOut }) };
}

/** Whether a value is a {@linkcode TensorData}. */
export function isTensorData(value: unknown): value is TensorData {
  return typeof value === "object" && value !== null &&
    "data" in value && value.data instanceof Uint8Array &&
    "dtype" in value && typeof value.dtype === "string" &&
    "shape" in value && Array.isArray(value.shape);
}
