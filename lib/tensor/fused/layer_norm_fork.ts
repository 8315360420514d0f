/** LayerNorm that hands its input on, so that the residual's gradient joins in the same kernel. @module */
import * as tf from "@tensorflow/tfjs";
import type { Tensor, Tensor1D } from "../types.ts";
import { layerNorm } from "./layer_norm.ts";
import { runKernel } from "./run.ts";

/**
 * `[layerNorm(x), x]`; both must be used where a gradient is wanted.
 *
 * @param x Shape `[..., D]`, float32.
 * @param gain Shape `[D]`.
 * @param bias Shape `[D]`.
 * @param epsilon Added to the variance.
 * @returns Two tensors of `x`'s shape. The caller disposes them.
 */
export function layerNormFork(x: Tensor, gain: Tensor1D, bias: Tensor1D, epsilon: number): [Tensor, Tensor] {
  if (tf.getKernel("AceLayerNormFork", tf.getBackend()) === undefined) {
    return [layerNorm(x, gain, bias, epsilon), tf.clone(x)];
  }
  const [y, mean, rstd, same] = runKernel("AceLayerNormFork", { x, gain, bias }, { epsilon });
  tf.dispose([mean!, rstd!]);
  return [y!, same!];
}

tf.registerGradient({
  kernelName: "AceLayerNormFork",
  inputsToSave: ["x", "gain"],
  outputsToSave: [false, true, true, false],
  gradFunc: (dys, saved) => {
    const [dy, , , addend] = dys as [Tensor, Tensor, Tensor, Tensor];
    const [x, gain, mean, rstd] = saved as [Tensor, Tensor, Tensor, Tensor];
    const params = (): Tensor[] => runKernel("AceLayerNormGradParams", { dy, x, mean, rstd });
    return {
      x: () => runKernel("AceLayerNormGradX", { dy, x, gain, mean, rstd, addend })[0]!,
      gain: () => params()[0]!,
      bias: () => params()[1]!,
    };
  },
});
