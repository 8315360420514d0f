/** AceL2Normalise and its gradient for the wasm backend. @module */
import * as tf from "@tensorflow/tfjs";
import { registerKernels } from "../kernels.ts";
import { addressOf, type KernelCall, output, wasmKernels, type WasmTensor } from "./module.ts";

function rowsOf(shape: number[]): [rows: number, width: number] {
  const width = shape.at(-1) ?? 1;
  return [width ? tf.util.sizeFromShape(shape) / width : 0, width];
}

function l2Normalise({ inputs: { x }, backend }: KernelCall<"x">): WasmTensor {
  const y = output(backend, x.shape);
  wasmKernels(backend).run.unit_rows!(...rowsOf(x.shape), addressOf(backend, x), addressOf(backend, y));
  return y;
}

function l2NormaliseGrad({ inputs: { dy, x }, backend }: KernelCall<"dy" | "x">): WasmTensor {
  const dx = output(backend, x.shape);
  const addresses = [dy, x, dx].map((t) => addressOf(backend, t));
  wasmKernels(backend).run.unit_rows_grad!(...rowsOf(x.shape), ...addresses);
  return dx;
}

/** Registers rows of unit length, one reading and one writing of memory instead of tfjs's three passes. */
export function registerUnitRows(): void {
  registerKernels("wasm", { AceL2Normalise: l2Normalise, AceL2NormaliseGrad: l2NormaliseGrad });
}
