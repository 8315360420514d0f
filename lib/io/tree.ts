/** Trees of tensors and named tensors to and from files: one pair for adapters, heads, training states and methods. @module */
import * as tf from "@tensorflow/tfjs";
import { mapTensors, mapTree } from "../tensor/params.ts";
import type { Tensor } from "../tensor/types.ts";
import { quoted } from "./_errors.ts";
import { isRecord } from "./fields.ts";
import type { WriteFileOptions } from "./files.ts";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";
import { checkFinite, float32Tensor, type TensorData, toFloat32 } from "./tensors.ts";

/** A tensor's numbers. */
export async function stored(tensor: Tensor): Promise<TensorData> {
  return float32Tensor(tensor.shape, await tensor.data<"float32">());
}

/** Every leaf of a tree under its dotted name, in the tree's order; a leaf is a tensor, or numbers as a file has them. */
export async function storedTensors(tree: unknown): Promise<Map<string, TensorData>> {
  const leaves = new Map<string, Tensor | TensorData>();
  mapTree(tree, (node, name) => {
    if (!(node instanceof tf.Tensor || isTensorData(node))) return undefined;
    leaves.set(name, node);
    return node;
  });
  const out = new Map<string, TensorData>();
  for (const [name, leaf] of leaves) out.set(name, leaf instanceof tf.Tensor ? await stored(leaf) : leaf);
  return out;
}

function isTensorData(node: object): node is TensorData {
  return "data" in node && node.data instanceof Uint8Array;
}

/** What a file of a tree says beside its tensors; `format` says what kind of file it is. */
export interface TreeFields extends Readonly<Record<string, string>> {
  /** Kind and version. */
  readonly format: string;
}

/**
 * Writes a tree's leaves under their dotted names, whole or not at all.
 *
 * @param tree Any params tree, float32 throughout; a leaf may be numbers as a file has them ({@linkcode TensorData}).
 * @param fields Goes into the metadata.
 */
export async function saveTree(
  path: string,
  tree: unknown,
  fields: TreeFields,
  options: WriteFileOptions = {},
): Promise<void> {
  await writeSafetensors(path, await storedTensors(tree), fields, options);
}

/** A file that {@linkcode saveTree} wrote. */
export interface StoredTree {
  /** Where it is, for messages. */
  readonly path: string;
  /** Its tensors by dotted name. */
  readonly tensors: ReadonlyMap<string, TensorData>;
  /** Its metadata; see {@linkcode textField} and {@linkcode recordField}. */
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * Reads a file that {@linkcode saveTree} wrote; its fields tell what tree {@linkcode loadTree} is to fill.
 *
 * @param what What the file must be, and the `format` that says so.
 * @throws {TreeError} If it has another format.
 */
export async function openTree(path: string, what: { noun: string; format: string }): Promise<StoredTree> {
  const { tensors, metadata } = await readSafetensors(path);
  const { format } = metadata;
  if (format !== what.format) {
    const current = format === undefined ? `${tensors.size} tensors without a format` : quoted(format);
    throw new TreeError(path, "format", `"${what.format}", that of ${what.noun}`, current);
  }
  return { path, tensors, fields: metadata };
}

/** The error for a file of a tree whose field or tensor is not what it must be. */
export class TreeError extends SyntaxError {
  /** Name shown in stack traces. */
  override name = "TreeError";
  /** The file. */
  readonly path: string;
  /** Its field or tensor. */
  readonly part: string;

  /**
   * An error about one part of a file.
   *
   * @param path The file.
   * @param part Its field or tensor.
   * @param must What that must be.
   * @param actual What it is, as the message shows it.
   */
  constructor(path: string, part: string, must: string, actual: string) {
    super(`Cannot read "${path}" as its ${part} must be ${must}: found ${actual}`);
    this.path = path;
    this.part = part;
  }
}

/** A field that must be there. @throws {TreeError} If it is not. */
export function textField({ path, fields }: Pick<StoredTree, "path" | "fields">, field: string): string {
  const text = fields[field];
  if (text === undefined) throw new TreeError(path, field, "there", "nothing");
  return text;
}

/** A field that holds JSON; what that must be is for the caller to check. @throws {TreeError} If it does not. */
export function jsonField(file: Pick<StoredTree, "path" | "fields">, field: string): unknown {
  const text = textField(file, field);
  try {
    return JSON.parse(text);
  } catch {
    throw new TreeError(file.path, field, "JSON", quoted(text));
  }
}

/** A field that holds a JSON record. @throws {TreeError} If it does not. */
export function recordField(file: Pick<StoredTree, "path" | "fields">, field: string): Record<string, unknown> {
  const value = jsonField(file, field);
  if (isRecord(value)) return value;
  throw new TreeError(file.path, field, "a JSON record", quoted(textField(file, field)));
}

/** Options of {@linkcode loadTree}. */
export interface LoadTreeOptions {
  /** Leaves that stand in the file; the others stay the tree's. @default {all} */
  wanted?: (leaf: string) => boolean;
  /** What stands before each name in the file. @default {nothing} */
  prefix?: string;
}

/**
 * A tree with the file's numbers in place of its own.
 *
 * @param tree Gives names and shapes; borrowed.
 * @returns A new tree; leaves that were not read are shared with `tree`.
 * @throws {TreeError} If a wanted leaf is missing or misshapen, or the file has another under the prefix.
 * @throws {RangeError} If a number is NaN or infinite.
 */
export function loadTree<T>(file: StoredTree, tree: T, options: LoadTreeOptions = {}): T {
  const { wanted = () => true, prefix = "" } = options;
  const { path, tensors } = file;
  const read = new Set<string>();
  const made: Tensor[] = [];
  try {
    const filled = mapTensors(tree, (own, leaf) => {
      if (!wanted(leaf)) return own;
      const name = `${prefix}${leaf}`;
      const data = tensors.get(name);
      if (data?.shape.join() !== own.shape.join()) {
        throw new TreeError(path, quoted(name), `of shape [${own.shape}]`, data ? `[${data.shape}]` : "no such tensor");
      }
      checkFinite(data, `"${path}" (${quoted(name)})`);
      read.add(name);
      made.push(tf.tensor(toFloat32(data), own.shape));
      return made.at(-1)!;
    });
    const unknown = [...tensors.keys()].find((name) => name.startsWith(prefix) && !read.has(name));
    if (unknown !== undefined) throw new TreeError(path, "tensors", `the ${read.size} of its kind`, quoted(unknown));
    return filled;
  } catch (error) {
    tf.dispose(made);
    throw error;
  }
}
