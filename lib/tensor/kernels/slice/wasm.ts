/** Slice along one dimension: tfjs copies row by row through typed arrays. @module */
import * as tf from "@tensorflow/tfjs";
import { oneDimension } from "../../wasm/one_dimension.ts";
import { addressOf, type WasmBackend, type WasmCall, wasmKernels } from "../../wasm/module.ts";
import { identity } from "../identity/wasm.ts";
import type { TensorInfo } from "../info.ts";
import type { Kernel } from "../interface.ts";

const { sizeFromShape } = tf.util;

/** Slice: of the whole it shares the data; what differs in more than one dimension goes to tfjs's. */
export function slice(call: WasmCall<"Slice">, tfjs: Kernel<"Slice", WasmBackend>): TensorInfo {
  const { inputs: { x }, backend, attrs } = call;
  const [begin = [], size = []] = tf.slice_util.parseSliceParams(x, attrs.begin, attrs.size);
  if (size.every((length, i) => length === x.shape[i])) return identity({ inputs: { x }, attrs: {}, backend });
  const d = oneDimension(x.shape, size);
  if (d === undefined || sizeFromShape(size) === 0 || (x.dtype !== "float32" && x.dtype !== "int32")) {
    return tfjs(call);
  }
  const out = backend.makeOutput(size, x.dtype);
  const inner = sizeFromShape(x.shape.slice(d + 1));
  const from = addressOf(backend, x) + 4 * begin[d]! * inner;
  const [stride, n] = [x.shape[d]! * inner, size[d]! * inner];
  wasmKernels(backend).run["copy_blocks"]!(
    sizeFromShape(size.slice(0, d)),
    n,
    from,
    stride,
    addressOf(backend, out),
    n,
  );
  return out;
}
