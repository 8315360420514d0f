/** AceLinear and its parameters' gradients by products and linear.c. @module */
import type { WasmCall } from "../../wasm/module.ts";
import type { Place, RowStep } from "../../wasm/rows.ts";
import type { DropoutAttributes } from "../attributes.ts";
import type { Info1D, Info2D } from "../info.ts";
import type { KernelResult } from "../interface.ts";
import { runTfjsKernel } from "../register.ts";
import { multiplyMatrices } from "../matmul/wasm.ts";
import { type LayerSteps, layerSteps } from "./wasm_steps.ts";

/** Seed, limit and scale of a mask, as linear.c takes them: hash >= rate 2^32 is hash > limit; scale 0 is no mask. */
export function maskOf({ rate, seed }: DropoutAttributes): [seed: number, limit: number, scale: number] {
  return rate > 0 ? [seed, Math.ceil(rate * 2 ** 32) - 1, 1 / (1 - rate)] : [0, 0, 0];
}

/** What follows the product of a linear layer. */
export interface AfterProduct extends DropoutAttributes {
  bias: Info1D | undefined;
  addend: Place | undefined;
}

/** `drop(product + bias) + addend`, in the product's place, its rows `width` long; undefined: there is nothing to do. */
export function linearStep(
  product: Place,
  width: number,
  { bias, addend, ...drop }: AfterProduct,
): RowStep | undefined {
  if (!bias && !addend && drop.rate === 0) return undefined;
  return { name: "linear", args: [width, bias ?? 0, ...maskOf(drop), addend ?? 0, product] };
}

/** The same, as one of the steps. */
export function finishLinear(steps: LayerSteps, product: Info2D, after: AfterProduct): Info2D {
  const step = linearStep(product, product.shape[1], after);
  if (step) steps.finish({ ...step, results: [product] });
  return product;
}

/** AceLinear. */
export function linear({ inputs, attrs, backend }: WasmCall<"AceLinear">): Info2D {
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
  const dWeight = multiplyMatrices(backend, dy, x, { transposeA: true, transposeB: false });
  const dBias = runTfjsKernel("wasm", "Sum", { inputs: { x: dy }, attrs: { axis: [0], keepDims: false }, backend });
  return [dWeight, { ...dBias, shape: [dy.shape[1]] }];
}
