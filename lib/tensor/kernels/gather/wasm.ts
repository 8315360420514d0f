/** GatherV2 of rows of a table; tfjs takes each number alone. @module */
import * as tf from "@tensorflow/tfjs";
import { addressOf, output, type WasmBackend, type WasmCall } from "../../wasm/module.ts";
import { runRows } from "../../wasm/rows.ts";
import type { TensorInfo } from "../info.ts";
import type { Kernel } from "../interface.ts";

const { sizeFromShape } = tf.util;

/** GatherV2 of float32 rows; other axes go to tfjs's, as do indices out of range, which it reports. */
export function gather(call: WasmCall<"GatherV2">, tfjs: Kernel<"GatherV2", WasmBackend>): TensorInfo {
  const { inputs: { x, indices }, backend, attrs: { axis, batchDims } } = call;
  const rows = sizeFromShape(indices.shape);
  const width = sizeFromShape(x.shape.slice(1));
  if (axis !== 0 || batchDims !== 0 || x.dtype !== "float32" || indices.dtype !== "int32" || rows * width === 0) {
    return tfjs(call);
  }
  const ids = new Int32Array(backend.wasm.asm.memory.buffer, addressOf(backend, indices), rows);
  if (ids.some((id) => id < 0 || id >= x.shape[0]!)) return tfjs(call); // which says so
  const out = output(backend, [...indices.shape, ...x.shape.slice(1)]);
  const args = [width, x, indices, out];
  runRows(backend, { name: "gather_rows", args, results: [out], rows, milliseconds: rows * width / 2e6 });
  return out;
}
