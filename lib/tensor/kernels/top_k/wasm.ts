/** TopK: tfjs sorts whole rows. @module */
import * as tf from "@tensorflow/tfjs";
import { output, type WasmBackend, type WasmCall } from "../../wasm/module.ts";
import { runRows } from "../../wasm/rows.ts";
import type { Kernel, KernelResult } from "../interface.ts";

const { sizeFromShape } = tf.util;

/** Longer lists are left to tfjs, which sorts; ours inserts. */
const LONGEST_LIST = 32;

/** TopK; long lists and other types go to tfjs's. */
export function topK(call: WasmCall<"TopK">, tfjs: Kernel<"TopK", WasmBackend>): KernelResult<"TopK"> {
  const { inputs: { x }, backend, attrs: { k } } = call;
  const n = x.shape.at(-1)!;
  if (x.dtype !== "float32" || k > LONGEST_LIST || k > n || k < 1) return tfjs(call);
  const shape = [...x.shape.slice(0, -1), k];
  const values = output(backend, shape);
  const indices = backend.makeOutput(shape, "int32");
  const rows = sizeFromShape(shape) / k;
  const results = [values, indices];
  runRows(backend, { name: "top_k", args: [n, k, x, ...results], results, rows, milliseconds: rows * n / 3e5 });
  return [values, indices];
}
