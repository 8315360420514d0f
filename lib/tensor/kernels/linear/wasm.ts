/** AceLinear and its parameters' gradients by products and linear.c. @module */
import * as tf from "@tensorflow/tfjs";
import type { WasmCall } from "../../wasm/module.ts";
import type { DropoutAttributes } from "../attributes.ts";
import type { KernelResult, TensorInfo } from "../interface.ts";
import { multiply } from "../matmul/wasm.ts";
import { type LayerSteps, layerSteps } from "./wasm_steps.ts";

/** Seed, limit and scale of a mask, as linear.c takes them: hash >= rate 2^32 is hash > limit; scale 0 is no mask. */
export function maskOf({ rate, seed }: DropoutAttributes): [seed: number, limit: number, scale: number] {
  return rate > 0 ? [seed, Math.ceil(rate * 2 ** 32) - 1, 1 / (1 - rate)] : [0, 0, 0];
}

/** `drop(product + bias) + addend`, in the product's place. */
export function finishLinear(
  steps: LayerSteps,
  product: TensorInfo,
  { bias, addend, ...drop }: DropoutAttributes & { bias: TensorInfo | undefined; addend: TensorInfo | undefined },
): TensorInfo {
  if (!bias && !addend && drop.rate === 0) return product;
  const args = [product.shape[1]!, bias ?? 0, ...maskOf(drop), addend ?? 0, product];
  steps.finish({ name: "linear", args, results: [product] });
  return product;
}

/** AceLinear. */
export function linear({ inputs, attrs, backend }: WasmCall<"AceLinear">): TensorInfo {
  const { x, weight, bias, addend } = inputs;
  const steps = layerSteps(backend, [x], [[weight, true]]);
  const y = finishLinear(steps, steps.multiply(x), { ...attrs, bias, addend });
  steps.run();
  return y;
}

/** AceLinearGradParams. */
export function linearGradParams(
  { inputs: { dy, x }, backend }: WasmCall<"AceLinearGradParams">,
): KernelResult<"AceLinearGradParams"> {
  const dWeight = multiply(backend, dy, x, { transposeA: true, transposeB: false });
  const sum = tf.getKernel("Sum", "wasm").kernelFunc;
  return [dWeight, sum({ inputs: { x: dy }, attrs: { axis: [0], keepDims: false }, backend }) as TensorInfo];
}
