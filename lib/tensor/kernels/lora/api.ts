/**
 * Linear layers with low-rank updates that share their input, as one kernel, where the backend has it; lib/nn/linear.ts has
 * the same in single steps.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { tidy } from "../../ops.ts";
import type { Tensor1D, Tensor2D } from "../../types.ts";
import type { FusedLinear } from "../linear/api.ts";
import { isNative } from "../native.ts";
import { checkFloat, hasKernel, runKernel } from "../run.ts";
import "./gradient.ts";

/** A layer with a low-rank update. */
export interface FusedLoraLinear extends FusedLinear {
  /** `[R, in]`. */
  loraA: Tensor2D;
  /** `[out, R]`. */
  loraB: Tensor2D;
  /** Factor of the update. */
  scaling: number;
  /** Dropout of the update's input; 0 for none. */
  rate: number;
  /** Seed of its mask. */
  seed: number;
}

type Inputs =
  & { x: Tensor2D }
  & Record<`${"weight" | "loraA" | "loraB"}${number}`, Tensor2D>
  & Record<`bias${number}`, Tensor1D>;

/** Ranks of the layers of one call, summed, at most. */
export const MOST_FUSED_RANKS = 24;

/** Whether the current backend has the kernels of linear layers. */
export function canFuse(): boolean {
  return hasKernel("AceLoraLinear");
}

/**
 * Whether layers that share their input are computed together. Their gradients are then added in another order, so wasm's own products
 * keep to the single steps.
 */
export function canFuseSeveral(): boolean {
  return canFuse() && (tf.getBackend() !== "wasm" || isNative());
}

/**
 * `x W_lᵀ + b_l + scaling_l drop_l(x) A_lᵀ B_lᵀ` for layers of one shape that share their input.
 *
 * @param x Shape `[rows, in]`.
 * @param layers One to three, of equal shapes and ranks, ranks at most {@linkcode MOST_FUSED_RANKS} together.
 * @returns One `[rows, out]` a layer. The caller disposes them.
 */
export function fusedLoraLinear(x: Tensor2D, layers: readonly FusedLoraLinear[]): Tensor2D[] {
  const inputs: Inputs = { x };
  for (const [l, { weight, bias, loraA, loraB }] of layers.entries()) {
    inputs[`weight${l}`] = weight;
    inputs[`loraA${l}`] = loraA;
    inputs[`loraB${l}`] = loraB;
    if (bias) inputs[`bias${l}`] = bias;
  }
  checkFloat("apply linear layers to", inputs);
  const attrs = {
    scalings: layers.map(({ scaling }) => scaling),
    rates: layers.map(({ rate }) => rate),
    seeds: layers.map(({ seed }) => seed >>> 0),
    names: Object.keys(inputs), // of the saved tensors
  };
  // An array with names: tfjs's `saveAllInputs`, which lets an input be optional, insists on an array.
  return tidy(() => runKernel("AceLoraLinear", Object.assign([], inputs), attrs).slice(1));
}
