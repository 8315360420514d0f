/** Layer normalisation by layer_norm.c. @module */
import * as tf from "@tensorflow/tfjs";
import { identity } from "../identity/wasm.ts";
import { addressOf, output, type WasmCall, wasmKernels } from "../../wasm/module.ts";
import { type Place, type RowStep, runRows } from "../../wasm/rows.ts";
import type { TensorInfo } from "../info.ts";
import type { KernelResult } from "../interface.ts";

const { sizeFromShape } = tf.util;

/** AceLayerNorm. */
export function layerNorm(call: WasmCall<"AceLayerNorm">): KernelResult<"AceLayerNorm"> {
  const { inputs: { x, gain, bias }, backend, attrs } = call;
  const width = gain.shape[0]!;
  const rows = width ? sizeFromShape(x.shape) / width : 0;
  const results: KernelResult<"AceLayerNorm"> = [
    output(backend, x.shape),
    output(backend, [rows]),
    output(backend, [rows]),
  ];
  const step = layerNormStep(x, gain, bias, attrs.epsilon, results);
  runRows(backend, { ...step, results, rows, milliseconds: rows * width / 1e6 });
  return results;
}

/** AceLayerNormFork: the fourth output shares the data of `x`. */
export function layerNormFork(
  { inputs, attrs, backend }: WasmCall<"AceLayerNormFork">,
): KernelResult<"AceLayerNormFork"> {
  const outputs = layerNorm({ inputs, attrs, backend });
  return [...outputs, identity({ inputs, attrs: {}, backend })];
}

/** Its C function; the results are y, mean and rstd. */
export function layerNormStep(
  x: Place,
  gain: TensorInfo,
  bias: TensorInfo,
  epsilon: number,
  results: readonly Place[],
): RowStep {
  return { name: "layer_norm", args: [gain.shape[0]!, x, gain, bias, epsilon, ...results] };
}

/** AceLayerNormGradX. */
export function layerNormGradX(call: WasmCall<"AceLayerNormGradX">): TensorInfo {
  const { inputs: { dy, x, gain, mean, rstd, addend }, backend } = call;
  const dx = output(backend, x.shape);
  const [rows, width] = [mean.shape[0]!, gain.shape[0]!];
  const args = [width, dy, x, gain, mean, rstd, addend ?? 0, dx];
  runRows(backend, { name: "layer_norm_grad_x", args, results: [dx], rows, milliseconds: rows * width / 1e6 });
  return dx;
}

/** AceLayerNormGradParams. */
export function layerNormGradParams(call: WasmCall<"AceLayerNormGradParams">): KernelResult<"AceLayerNormGradParams"> {
  const { inputs: { dy, x, mean, rstd }, backend } = call;
  const width = x.shape.at(-1)!;
  const out: KernelResult<"AceLayerNormGradParams"> = [output(backend, [width]), output(backend, [width])];
  const addresses = [dy, x, mean, rstd, ...out].map((t) => addressOf(backend, t));
  wasmKernels(backend).run["layer_norm_grad_params"]!(mean.shape[0]!, width, ...addresses);
  return out;
}
