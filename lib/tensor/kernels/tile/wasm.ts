/** Tile by whole blocks; tfjs takes each number alone. @module */
import * as tf from "@tensorflow/tfjs";
import { addressOf, type WasmBackend, type WasmCall, wasmKernels } from "../../wasm/module.ts";
import type { TensorInfo } from "../info.ts";
import type { Kernel } from "../interface.ts";

const { sizeFromShape } = tf.util;

/** Tile; types of other sizes than four bytes go to tfjs's. */
export function tile(call: WasmCall<"Tile">, tfjs: Kernel<"Tile", WasmBackend>): TensorInfo {
  const { inputs: { x }, backend, attrs: { reps } } = call;
  if (!x.shape.length || (x.dtype !== "float32" && x.dtype !== "int32")) return tfjs(call);
  const { run } = wasmKernels(backend);
  let current: TensorInfo = x;
  // The innermost dimension first: then each step repeats whole blocks.
  for (let d = x.shape.length - 1; d >= 0; d--) {
    if (reps[d] === 1 && d > 0) continue;
    const shape = current.shape.map((size, i) => i === d ? size * reps[d]! : size);
    const next = backend.makeOutput(shape, x.dtype);
    const blocks = sizeFromShape(current.shape.slice(0, d));
    const size = sizeFromShape(current.shape.slice(d));
    run["repeat_blocks"]!(blocks, size, reps[d]!, addressOf(backend, current), addressOf(backend, next));
    if (current !== x) backend.disposeData(current.dataId);
    current = next;
  }
  return current;
}
