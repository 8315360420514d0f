/** Rows of unit length by l2_normalise.c: one reading and one writing of memory instead of tfjs's three passes. @module */
import * as tf from "@tensorflow/tfjs";
import { output, type WasmCall } from "../../wasm/module.ts";
import { runRows } from "../../wasm/rows.ts";
import type { TensorInfo } from "../info.ts";

/** A rough speed of one thread, which only decides on threads. */
const FLOATS_PER_MS = 1.5e6;

function rowsOf(shape: number[]): [rows: number, width: number] {
  const width = shape.at(-1) ?? 1;
  return [width ? tf.util.sizeFromShape(shape) / width : 0, width];
}

/** AceL2Normalise. */
export function l2Normalise({ inputs: { x }, backend }: WasmCall<"AceL2Normalise">): TensorInfo {
  const y = output(backend, x.shape);
  const [rows, width] = rowsOf(x.shape);
  const milliseconds = rows * width / FLOATS_PER_MS;
  runRows(backend, { name: "unit_rows", args: [width, x, y], results: [y], rows, milliseconds });
  return y;
}

/** AceL2NormaliseGrad. */
export function l2NormaliseGrad({ inputs: { dy, x }, backend }: WasmCall<"AceL2NormaliseGrad">): TensorInfo {
  const dx = output(backend, x.shape);
  const [rows, width] = rowsOf(x.shape);
  const milliseconds = rows * width / FLOATS_PER_MS;
  runRows(backend, { name: "unit_rows_grad", args: [width, dy, x, dx], results: [dx], rows, milliseconds });
  return dx;
}
