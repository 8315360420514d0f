/** What a few rows of each sample give through a bottleneck, as one kernel where the backend has it; lib/hypergraph has the same in steps. @module */
import { tidy } from "../../ops.ts";
import type { Tensor1D, Tensor2D, Tensor3D } from "../../types.ts";
import { checkFloat, hasKernel, runKernel } from "../run.ts";
import "./gradient.ts";

/** Most samples: each reads all weights. */
const MOST_SAMPLES = 1024;
/** Widest hidden layer. */
const MOST_HIDDEN = 2048;

/** A layer with a bias. */
interface Layer {
  /** `[out, in]`. */
  weight: Tensor2D;
  /** `[out]`. */
  bias?: Tensor1D;
}

/**
 * `Σ_i w_i (f(x_i W1ᵀ + b1) W2ᵀ + b2)` of each sample, f a leaky ReLU of slope 0.2.
 *
 * @param x Rows of each sample, shape `[B, K, E]`; or one row, `[B, E]`.
 * @param layers W1 `[hidden, E]` and W2 `[out, hidden]` with their biases.
 * @param incoming w, shape `[B, K, 1]`. @default {1, for one row}
 * @returns Shape `[B, out]`. The caller disposes it; undefined where the backend has no kernel for these sizes.
 */
export function fusedMessages(
  x: Tensor2D | Tensor3D,
  [{ weight: weight1, bias: bias1 }, { weight: weight2, bias: bias2 }]: readonly [Layer, Layer],
  incoming?: Tensor3D,
): Tensor2D | undefined {
  if (!hasKernel("AceMessages") || !bias1 || !bias2 || x.size === 0) return undefined;
  if (x.shape[0] > MOST_SAMPLES || weight1.shape[0] > MOST_HIDDEN) return undefined;
  const layers = { x, weight1, bias1, weight2, bias2 };
  const inputs = { ...layers, ...(incoming ? { incoming } : {}) };
  checkFloat("send messages through", inputs);
  // An array with names: tfjs's `saveAllInputs`, which lets an input be optional, insists on an array.
  return tidy(() => runKernel("AceMessages", Object.assign([], inputs), {})[0]);
}
