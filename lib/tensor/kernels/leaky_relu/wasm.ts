/** LeakyRelu on all threads. @module */
import * as tf from "@tensorflow/tfjs";
import { output, type WasmBackend, type WasmCall } from "../../wasm/module.ts";
import { runElements } from "../../wasm/rows.ts";
import type { TensorInfo } from "../info.ts";
import type { Kernel } from "../interface.ts";

const { sizeFromShape } = tf.util;

/** LeakyRelu; other types go to tfjs's. */
export function leakyRelu(call: WasmCall<"LeakyRelu">, tfjs: Kernel<"LeakyRelu", WasmBackend>): TensorInfo {
  const { inputs: { x }, backend, attrs: { alpha } } = call;
  if (x.dtype !== "float32") return tfjs(call);
  const y = output(backend, x.shape);
  runElements(backend, {
    name: "leaky_relu",
    args: [x, alpha, y],
    results: [y],
    size: sizeFromShape(x.shape),
    perMs: 1e6,
  });
  return y;
}
