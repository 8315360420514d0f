/** Dropout by elementwise.c. @module */
import * as tf from "@tensorflow/tfjs";
import { output, type WasmCall } from "../../wasm/module.ts";
import { runElements } from "../../wasm/rows.ts";
import type { TensorInfo } from "../info.ts";

const { sizeFromShape } = tf.util;

/** AceDropout. */
export function dropout({ inputs: { x }, backend, attrs }: WasmCall<"AceDropout">): TensorInfo {
  const y = output(backend, x.shape);
  // hash >= rate 2^32 is hash > limit, which fits 32 bits for every rate below 1.
  const limit = Math.ceil(attrs.rate * 2 ** 32) - 1;
  const args = [x, attrs.seed, limit, 1 / (1 - attrs.rate), y];
  runElements(backend, { name: "dropout", args, results: [y], size: sizeFromShape(x.shape), perMs: 1e6 });
  return y;
}
