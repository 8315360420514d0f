/** Layer normalisation as one kernel, alone or handing its input on to the residual sum. @module */
import * as tf from "@tensorflow/tfjs";
import type { Tensor, Tensor1D } from "../../types.ts";
import { checkFloat, hasKernel, runKernel } from "../run.ts";
import "./gradient.ts";

/**
 * Layer normalisation over the last dimension: `y = (x - mean) / sqrt(var + epsilon) * gain + bias`, with the biased
 * variance, as `torch.nn.LayerNorm`. One kernel forward, one or two backward: the gradients of a frozen gain and bias
 * are not computed.
 *
 * Source: Ba, Kiros, Hinton, Layer Normalization, 2016, Eq. (3).
 *
 * @param x Shape `[..., D]`, float32.
 * @param gain Shape `[D]`.
 * @param bias Shape `[D]`.
 * @param epsilon Added to the variance.
 * @returns Shape of `x`. The caller disposes it.
 * @throws {TypeError} If a dtype is not float32 or `gain` or `bias` is not `[D]`.
 * @throws {RangeError} If `epsilon` is negative or not a number.
 */
export function layerNorm<T extends Tensor>(x: T, gain: Tensor1D, bias: Tensor1D, epsilon: number): T {
  checkFloat("normalise", { x, gain, bias });
  const width = x.shape.at(-1);
  for (const [name, t] of [["gain", gain], ["bias", bias]] as const) {
    if (width === undefined || t.shape.length !== 1 || t.shape[0] !== width) {
      throw new TypeError(
        `Cannot normalise x as ${name} must have one number per column: current shapes are [${x.shape}] and [${t.shape}]`,
      );
    }
  }
  if (!(epsilon >= 0)) throw new RangeError(`Cannot normalise x as epsilon must be >= 0: current value is ${epsilon}`);
  return tf.tidy(() => runKernel("AceLayerNorm", { x, gain, bias }, { epsilon })[0]);
}

/**
 * `[layerNorm(x), x]`, so that the residual's gradient joins in the same kernel; both must be used where a gradient is wanted.
 *
 * @param x Shape `[..., D]`, float32.
 * @param gain Shape `[D]`.
 * @param bias Shape `[D]`.
 * @param epsilon Added to the variance.
 * @returns Two tensors of `x`'s shape. The caller disposes them.
 */
export function layerNormFork<T extends Tensor>(x: T, gain: Tensor1D, bias: Tensor1D, epsilon: number): [T, T] {
  if (!hasKernel("AceLayerNormFork")) return [layerNorm(x, gain, bias, epsilon), tf.clone(x)];
  const [y, mean, rstd, same] = runKernel("AceLayerNormFork", { x, gain, bias }, { epsilon });
  tf.dispose([mean, rstd]);
  return [y, same];
}
