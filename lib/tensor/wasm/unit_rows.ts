/** AceL2Normalise and its gradient for the wasm backend. @module */
import * as tf from "@tensorflow/tfjs";
import { registerKernels } from "../kernels.ts";
import { type KernelCall, output, type WasmTensor } from "./module.ts";
import { runRows } from "./rows.ts";

/** A rough speed of one thread, which only decides on threads. */
const FLOATS_PER_MS = 1.5e6;

function rowsOf(shape: number[]): [rows: number, width: number] {
  const width = shape.at(-1) ?? 1;
  return [width ? tf.util.sizeFromShape(shape) / width : 0, width];
}

function l2Normalise({ inputs: { x }, backend }: KernelCall<"x">): WasmTensor {
  const y = output(backend, x.shape);
  const [rows, width] = rowsOf(x.shape);
  const milliseconds = rows * width / FLOATS_PER_MS;
  runRows(backend, { name: "unit_rows", args: [width, x, y], results: [y], rows, milliseconds });
  return y;
}

function l2NormaliseGrad({ inputs: { dy, x }, backend }: KernelCall<"dy" | "x">): WasmTensor {
  const dx = output(backend, x.shape);
  const [rows, width] = rowsOf(x.shape);
  const milliseconds = rows * width / FLOATS_PER_MS;
  runRows(backend, { name: "unit_rows_grad", args: [width, dy, x, dx], results: [dx], rows, milliseconds });
  return dx;
}

/** Registers rows of unit length, one reading and one writing of memory instead of tfjs's three passes. */
export function registerUnitRows(): void {
  registerKernels("wasm", { AceL2Normalise: l2Normalise, AceL2NormaliseGrad: l2NormaliseGrad });
}
