/**
 * Linear layers as one kernel each, where the backend has it: with dropout and a sum behind them, or with low-rank
 * updates. {@linkcode canFuse} says whether it does; lib/nn/linear.ts has the same in single steps.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Tensor, Tensor1D, Tensor2D } from "../types.ts";
import { checkFloat, runKernel } from "./run.ts";
import "./register.ts";

/** Weights of one layer. */
export interface FusedLinear {
  /** `[out, in]`. */
  weight: Tensor2D;
  /** `[out]`. @default {none} */
  bias?: Tensor1D;
}

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

/** Options of {@linkcode fusedLinear}. */
export interface FusedLinearOptions {
  /** Dropout of the result, before the addend. @default {0} */
  rate?: number;
  /** Seed of the mask. @default {0} */
  seed?: number;
  /** Added last, `[rows, out]`. @default {none} */
  addend?: Tensor2D;
}

/** Ranks of the layers of one call, summed, at most. */
export const MOST_FUSED_RANKS = 24;

/** Whether the current backend has these kernels. */
export function canFuse(): boolean {
  return tf.getKernel("AceLoraLinear", tf.getBackend()) !== undefined;
}

/**
 * `drop(x Wᵀ + b) + addend`. Gradients are computed for what is on the tape only.
 *
 * @param x Shape `[rows, in]`.
 * @returns Shape `[rows, out]`. The caller disposes it.
 */
export function fusedLinear(x: Tensor2D, layer: FusedLinear, options: FusedLinearOptions = {}): Tensor2D {
  const { rate = 0, seed = 0, addend } = options;
  const inputs = {
    x,
    weight: layer.weight,
    ...(layer.bias ? { bias: layer.bias } : {}),
    ...(addend ? { addend } : {}),
  };
  checkFloat("apply a linear layer to", inputs);
  return runKernel("AceLinear", inputs, { rate, seed: seed >>> 0 })[0] as Tensor2D;
}

/**
 * `x W_lᵀ + b_l + scaling_l drop_l(x) A_lᵀ B_lᵀ` for layers of one shape that share their input.
 *
 * @param x Shape `[rows, in]`.
 * @param layers One to three, of equal shapes and ranks, ranks at most {@linkcode MOST_FUSED_RANKS} together.
 * @returns One `[rows, out]` a layer. The caller disposes them.
 */
export function fusedLoraLinear(x: Tensor2D, layers: readonly FusedLoraLinear[]): Tensor2D[] {
  const inputs: Record<string, Tensor> = { x };
  for (const [l, { weight, bias, loraA, loraB }] of layers.entries()) {
    Object.assign(inputs, { [`weight${l}`]: weight, [`loraA${l}`]: loraA, [`loraB${l}`]: loraB });
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
  return tf.tidy(() => runKernel("AceLoraLinear", Object.assign([], inputs), attrs).slice(1)) as Tensor2D[];
}

const LINEAR: tf.GradConfig = {
  kernelName: "AceLinear",
  inputsToSave: ["x", "weight"],
  gradFunc: (given, saved, attrs) => {
    const dy = given as Tensor2D;
    const [x, weight] = saved as [Tensor2D, Tensor2D];
    const { rate } = attrs as unknown as { rate: number };
    const inner = (): Tensor2D => rate > 0 ? runKernel("AceDropout", { x: dy }, attrs)[0] as Tensor2D : dy;
    return {
      x: () => tf.matMul(inner(), weight),
      weight: () => tf.matMul(inner(), x, true, false),
      bias: () => tf.sum(inner(), 0),
      addend: () => tf.clone(dy),
    };
  },
};

/** The matrices' gradients come from one kernel, so it runs outside the thunks; x's runs only if it is asked for. */
const LORA_LINEAR: tf.GradConfig = {
  kernelName: "AceLoraLinear",
  saveAllInputs: true,
  outputsToSave: [true],
  gradFunc: (given, saved, attrs) => {
    const { names, ...rest } = attrs as unknown as { names: string[]; scalings: number[] };
    const inputs = Object.fromEntries(names.map((name, i) => [name, saved[i]!]));
    const low = saved[names.length]!;
    const dys = (given as Tensor2D[]).slice(1);
    const named = (group: Record<string, Tensor>, prefix: string): Record<string, Tensor> =>
      Object.fromEntries(Object.entries(group).filter(([name]) => name.startsWith(prefix)));
    const all = { ...Object.fromEntries(dys.map((dy, l) => [`dy${l}`, dy])), ...named(inputs, "lora") };
    const grads = runKernel("AceLoraLinearGrad", { x: inputs["x"]!, low, ...all }, rest);
    const dLow = grads.at(-1)!;
    const thunks: Record<string, () => Tensor> = {
      x: () => runKernel("AceLoraLinearGradX", { dLow, ...all, ...named(inputs, "weight") }, rest)[0]!,
    };
    for (const [l, dy] of dys.entries()) {
      thunks[`loraA${l}`] = () => grads[l]!;
      thunks[`loraB${l}`] = () => grads[dys.length + l]!;
      thunks[`weight${l}`] = () => tf.matMul(dy, inputs["x"] as Tensor2D, true, false);
      thunks[`bias${l}`] = () => tf.sum(dy, 0);
    }
    return thunks;
  },
};

for (const gradient of [LINEAR, LORA_LINEAR]) tf.registerGradient(gradient);
