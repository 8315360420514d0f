/** PadV2 along one dimension: tfjs copies row by row through typed arrays. @module */
import * as tf from "@tensorflow/tfjs";
import { mapTuple } from "../../../platform/map_tuple.ts";
import { oneDimension } from "../../wasm/one_dimension.ts";
import { addressOf, type WasmBackend, type WasmCall, wasmKernels } from "../../wasm/module.ts";
import type { TensorInfo } from "../info.ts";
import type { Kernel } from "../interface.ts";

const { sizeFromShape } = tf.util;

/** PadV2; what differs in more than one dimension goes to tfjs's. */
export function pad(call: WasmCall<"PadV2">, tfjs: Kernel<"PadV2", WasmBackend>): TensorInfo {
  const { inputs: { x }, backend, attrs: { paddings, constantValue } } = call;
  const shape = x.shape.map((size, d) => size + paddings[d]![0] + paddings[d]![1]);
  const d = oneDimension(x.shape, shape);
  if (d === undefined || sizeFromShape(x.shape) === 0 || x.dtype !== "float32") return tfjs(call);
  const out = backend.makeOutput(shape, x.dtype);
  const inner = sizeFromShape(x.shape.slice(d + 1));
  const blocks = sizeFromShape(shape.slice(0, d));
  const [n, stride] = [x.shape[d]! * inner, shape[d]! * inner];
  const [before, after] = mapTuple(paddings[d]!, (count) => count * inner);
  const to = addressOf(backend, out);
  const values = new Float32Array(backend.wasm.asm.memory.buffer, to, blocks * stride);
  for (let b = 0; b < blocks; b++) {
    values.fill(constantValue, b * stride, b * stride + before);
    values.fill(constantValue, (b + 1) * stride - after, (b + 1) * stride);
  }
  wasmKernels(backend).run["copy_blocks"]!(blocks, n, addressOf(backend, x), n, to + 4 * before, stride);
  return out;
}
