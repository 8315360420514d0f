/** How tfjs differentiates the fused kernels. Each input's gradient is a thunk, run only if it is asked for. @module */
import type * as tf from "@tensorflow/tfjs";
import type { Tensor } from "../types.ts";
import { runKernel } from "./run.ts";

/** Gradient of AceLayerNorm. */
export const LAYER_NORM: tf.GradConfig = {
  kernelName: "AceLayerNorm",
  inputsToSave: ["x", "gain"],
  outputsToSave: [false, true, true],
  gradFunc: (dys, saved) => {
    const dy = (dys as Tensor[])[0]!;
    const [x, gain, mean, rstd] = saved as [Tensor, Tensor, Tensor, Tensor];
    const params = (): Tensor[] => runKernel("AceLayerNormGradParams", { dy, x, mean, rstd });
    return {
      x: () => runKernel("AceLayerNormGradX", { dy, x, gain, mean, rstd })[0]!,
      gain: () => params()[0]!,
      bias: () => params()[1]!,
    };
  },
};

/** Gradient of AceGelu. */
export const GELU: tf.GradConfig = {
  kernelName: "AceGelu",
  inputsToSave: ["x"],
  gradFunc: (dy, saved) => ({ x: () => runKernel("AceGeluGrad", { dy: dy as Tensor, x: saved[0]! })[0]! }),
};

/** Gradient of AceDropout: the same mask on dy. */
export const DROPOUT: tf.GradConfig = {
  kernelName: "AceDropout",
  gradFunc: (dy, _saved, attrs) => ({ x: () => runKernel("AceDropout", { x: dy as Tensor }, attrs)[0]! }),
};

/**
 * Gradient of AceAttention. One kernel gives all three gradients; it runs here, outside the thunks, because a thunk's own
 * scope would dispose the other two.
 */
export const ATTENTION: tf.GradConfig = {
  kernelName: "AceAttention",
  saveAllInputs: true,
  outputsToSave: [true, true],
  gradFunc: (dys, saved, attrs) => {
    const [query, key, value, ...rest] = saved as [Tensor, Tensor, Tensor, ...Tensor[]];
    const [context, logSumExp] = rest.slice(-2) as [Tensor, Tensor];
    const mask: Record<string, Tensor> = rest.length === 3 ? { keyMask: rest[0]! } : {};
    const inputs = { dy: (dys as Tensor[])[0]!, query, key, value, context, logSumExp, ...mask };
    const [dQuery, dKey, dValue] = runKernel("AceAttentionGrad", inputs, attrs);
    return { query: () => dQuery!, key: () => dKey!, value: () => dValue! };
  },
};
