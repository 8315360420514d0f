/** The exact GELU by elementwise.c. @module */
import * as tf from "@tensorflow/tfjs";
import { output, type WasmCall } from "../../wasm/module.ts";
import { runElements } from "../../wasm/rows.ts";
import type { TensorInfo } from "../info.ts";

const { sizeFromShape } = tf.util;

/** AceGelu. */
export function gelu({ inputs: { x }, backend }: WasmCall<"AceGelu">): TensorInfo {
  const y = output(backend, x.shape);
  runElements(backend, { name: "gelu", args: [x, y], results: [y], size: sizeFromShape(x.shape), perMs: 1e6 });
  return y;
}

/** AceGeluGrad. */
export function geluGrad({ inputs: { dy, x }, backend }: WasmCall<"AceGeluGrad">): TensorInfo {
  const dx = output(backend, x.shape);
  const size = sizeFromShape(x.shape);
  runElements(backend, { name: "gelu_grad", args: [dy, x, dx], results: [dx], size, perMs: 1e6 });
  return dx;
}
