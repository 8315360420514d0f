/** Replaces the linear layers of a tree. @module */
import * as tf from "@tensorflow/tfjs";
import type { LinearParams } from "../nn/linear.ts";

/** A new tree with each linear layer replaced by what `change` returns; all else is shared. */
export function mapLinear<T>(params: T, change: (layer: LinearParams) => LinearParams): T {
  const visit = (node: unknown): unknown => {
    if (node === null || typeof node !== "object" || node instanceof tf.Tensor) return node;
    if (isLinear(node)) return change(node);
    if (Array.isArray(node)) return node.map(visit);
    return Object.fromEntries(Object.entries(node).map(([key, child]) => [key, visit(child)]));
  };
  return visit(params) as T;
}

function isLinear(node: object): node is LinearParams {
  return "weight" in node && node.weight instanceof tf.Tensor && node.weight.rank === 2;
}
