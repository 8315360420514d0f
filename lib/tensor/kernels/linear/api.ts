/**
 * A linear layer as one kernel, with dropout and a sum behind it, where the backend has it; lib/nn/linear.ts has the same in
 * single steps.
 *
 * @module
 */
import type { Tensor1D, Tensor2D } from "../../types.ts";
import { checkFloat, runKernel } from "../run.ts";
import "./gradient.ts";

/** Weights of one layer. */
export interface FusedLinear {
  /** `[out, in]`. */
  weight: Tensor2D;
  /** `[out]`. @default {none} */
  bias?: Tensor1D;
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

/**
 * `drop(x Wᵀ + b) + addend`. Gradients are computed for what is on the tape only.
 *
 * @param x Shape `[rows, in]`.
 * @returns Shape `[rows, out]`. The caller disposes it.
 */
export function fusedLinear(x: Tensor2D, layer: FusedLinear, options: FusedLinearOptions = {}): Tensor2D {
  const { rate = 0, seed = 0, addend } = options;
  const { weight, bias } = layer;
  const inputs = { x, weight, ...(bias ? { bias } : {}), ...(addend ? { addend } : {}) };
  checkFloat("apply a linear layer to", inputs);
  return runKernel("AceLinear", inputs, { rate, seed: seed >>> 0 });
}
