/** Add on wasm, of float32 tensors of one shape or of one row to all rows: tfjs's has one thread. @module */
import * as tf from "@tensorflow/tfjs";
import { output, type WasmBackend, type WasmCall } from "../../wasm/module.ts";
import { runElements, runRows } from "../../wasm/rows.ts";
import type { TensorInfo } from "../info.ts";
import type { Kernel } from "../interface.ts";

const { sizeFromShape } = tf.util;

/** A rough speed of one thread, which only decides on threads. */
const FLOATS_PER_MS = 1.2e6;

/** Whether `row` has the shape of x's last dimensions. */
function isRowOf(x: TensorInfo, row: TensorInfo): boolean {
  const inner = x.shape.slice(x.shape.length - row.shape.length);
  return row.shape.length <= x.shape.length && row.shape.every((size, d) => size === inner[d]);
}

/** Add; broadcasts of other kinds and other types go to tfjs's. */
export function add(call: WasmCall<"Add">, tfjs: Kernel<"Add", WasmBackend>): TensorInfo {
  const { inputs: { a, b }, backend } = call;
  const [x, row] = a.shape.length >= b.shape.length ? [a, b] : [b, a];
  const width = sizeFromShape(row.shape);
  if (a.dtype !== "float32" || b.dtype !== "float32" || width === 0 || !isRowOf(x, row)) return tfjs(call);
  const size = sizeFromShape(x.shape);
  const sum = output(backend, x.shape);
  if (size === width) {
    runElements(backend, { name: "add", args: [x, row, sum], results: [sum], size, perMs: FLOATS_PER_MS });
  } else {
    const rows = size / width;
    const milliseconds = size / FLOATS_PER_MS;
    runRows(backend, { name: "add_row", args: [width, x, row, sum], results: [sum], rows, milliseconds });
  }
  return sum;
}
