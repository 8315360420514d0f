/** SplitV: tfjs copies row by row through typed arrays. @module */
import * as tf from "@tensorflow/tfjs";
import { addressOf, type WasmBackend, type WasmCall, wasmKernels } from "../../wasm/module.ts";
import type { TensorInfo } from "../info.ts";
import type { Kernel } from "../interface.ts";

const { sizeFromShape } = tf.util;

/** SplitV; types of other sizes than four bytes go to tfjs's. */
export function split(call: WasmCall<"SplitV">, tfjs: Kernel<"SplitV", WasmBackend>): TensorInfo[] {
  const { inputs: { x }, backend, attrs } = call;
  if (x.dtype !== "float32" && x.dtype !== "int32") return tfjs(call);
  const d = tf.util.parseAxisParam(attrs.axis, x.shape)[0]!;
  const sizes = tf.backend_util.prepareSplitSize(x, attrs.numOrSizeSplits, d);
  const [blocks, inner] = [sizeFromShape(x.shape.slice(0, d)), sizeFromShape(x.shape.slice(d + 1))];
  let from = addressOf(backend, x);
  return sizes.map((size) => {
    const out = backend.makeOutput(x.shape.map((full, i) => i === d ? size : full), x.dtype);
    const n = size * inner;
    wasmKernels(backend).run["copy_blocks"]!(blocks, n, from, x.shape[d]! * inner, addressOf(backend, out), n);
    from += 4 * n;
    return out;
  });
}
