/**
 * Params trees: plain nested records and arrays whose leaves are tensors (or static numbers, strings, flags and functions).
 *
 * A leaf's name is its path joined by dots, `vision.trunk.blocks.0.attention.query.weight`. A record that says what it is by a
 * `method` with a `name` goes by that name: the update of a layer that carries LoRA is `...query.lora.loraA`, wherever it stands.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Tensor } from "./types.ts";

function isTensor(value: unknown): value is Tensor {
  return value instanceof tf.Tensor;
}

/**
 * A copy of the tree with some of its nodes replaced. What has no replaced node in it is shared with the old tree, so that
 * records without tensors (a method's functions, settings) stay the ones they were.
 *
 * @param tree Any params tree.
 * @param replace Called with each record, array and tensor and its dotted name, from the root down in the tree's order; what it
 * returns takes the node's place and is not walked, `undefined` lets the walk go on below.
 * @returns The new tree.
 */
export function mapTree<T>(tree: T, replace: (node: object, name: string) => unknown): T {
  const visit = (node: unknown, name: string): unknown => {
    if (!isObject(node)) return node;
    const replacement = replace(node, name);
    if (replacement !== undefined) return replacement;
    if (isTensor(node)) return node;
    const entries = Object.entries(node);
    const children = entries.map(([key, child]) => visit(child, join(name, keyOf(key, child))));
    if (entries.every(([, child], i) => child === children[i])) return node;
    return Array.isArray(node) ? children : Object.fromEntries(entries.map(([key], i) => [key, children[i]]));
  };
  return visit(tree, "") as T; // what replaces a node has its type
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** A node's own name where it has one, else the key it stands under. */
function keyOf(key: string, node: unknown): string {
  const method = isObject(node) && "method" in node ? node.method : undefined;
  return isObject(method) && "name" in method && typeof method.name === "string" ? method.name : key;
}

function join(name: string, key: string): string {
  return name === "" ? key : `${name}.${key}`;
}

/**
 * A copy of the tree with each tensor leaf replaced by what `replace` returns; all else is shared.
 *
 * @param tree Any params tree.
 * @param replace Called with each tensor and its dotted name, in the tree's order.
 * @returns The new tree; tensors that `replace` returned unchanged are shared with the old one.
 */
export function mapTensors<T>(tree: T, replace: (tensor: Tensor, name: string) => Tensor): T {
  return mapTree(tree, (node, name) => isTensor(node) ? replace(node, name) : undefined);
}

/**
 * The tree's tensors under their dotted names, in the tree's order, optionally only those whose name `keep` accepts. The tensors are
 * borrowed, not copied.
 *
 * @example Dotted names
 * ```ts
 * import { namedTensors, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 * import * as tf from "@tensorflow/tfjs";
 *
 * await selectBackend({ backend: "cpu" });
 * const names = [...namedTensors({ blocks: [{ bias: tf.zeros([2]) }] }).keys()];
 * assertEquals(names, ["blocks.0.bias"]);
 * ```
 */
export function namedTensors(tree: unknown, keep: (name: string) => boolean = () => true): Map<string, Tensor> {
  const out = new Map<string, Tensor>();
  mapTensors(tree, (tensor, name) => {
    if (keep(name)) out.set(name, tensor);
    return tensor;
  });
  return out;
}

/**
 * The tree with the named leaves exchanged; all other leaves are shared.
 *
 * @throws {RangeError} If a name is not in the tree.
 * @throws {TypeError} If a shape differs.
 */
export function withTensors<T>(tree: T, replacements: ReadonlyMap<string, Tensor>): T {
  let used = 0;
  const out = mapTensors(tree, (tensor, name) => {
    const replacement = replacements.get(name);
    if (!replacement) return tensor;
    used++;
    if (replacement.shape.join() !== tensor.shape.join()) {
      throw new TypeError(
        `Cannot replace "${name}" as shapes must be equal: expected [${tensor.shape}], current value is [${replacement.shape}]`,
      );
    }
    return replacement;
  });
  if (used !== replacements.size) {
    const names = namedTensors(tree);
    const missing = [...replacements.keys()].find((name) => !names.has(name));
    throw new RangeError(`Cannot replace "${missing}" as the tree has no tensor of that name`);
  }
  return out;
}

/**
 * How many numbers the tree's tensors hold, optionally only those whose name `keep` accepts.
 *
 * @example Numbers of a tree
 * ```ts
 * import { countParams, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 * import * as tf from "@tensorflow/tfjs";
 *
 * await selectBackend({ backend: "cpu" });
 * const layer = { weight: tf.zeros([2, 3]), bias: tf.zeros([2]) };
 * assertEquals(countParams(layer), 8);
 * assertEquals(countParams(layer, (name) => name === "bias"), 2);
 * ```
 */
export function countParams(tree: unknown, keep: (name: string) => boolean = () => true): number {
  return namedTensors(tree, keep).values().reduce((total, { size }) => total + size, 0);
}

/**
 * Frees every tensor of the tree, each once, except those in `keep` (a tree that shares leaves with it).
 *
 * @example Free what was added, keep what is shared
 * ```ts
 * import { disposeParams, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 * import * as tf from "@tensorflow/tfjs";
 *
 * await selectBackend({ backend: "cpu" });
 * const base = { weight: tf.zeros([2, 2]) };
 * const adapted = { ...base, lora: tf.zeros([1, 2]) };
 * disposeParams(adapted, base);
 * assertEquals([base.weight.isDisposed, adapted.lora.isDisposed], [false, true]);
 * ```
 */
export function disposeParams(tree: unknown, keep?: unknown): void {
  const kept = new Set(keep === undefined ? [] : namedTensors(keep).values());
  for (const tensor of new Set(namedTensors(tree).values())) if (!kept.has(tensor)) tensor.dispose();
}
