/** Convolutions and poolings with a step, as the towers of ResNets have them: one kernel each where the backend has it. @module */
import type { Tensor1D, Tensor2D, Tensor4D } from "../../types.ts";
import { checkFloat, hasKernel, runKernel } from "../run.ts";
import { convolveInSteps, poolInSteps } from "./steps.ts";
import "./gradient.ts";

/** Weights of a convolution, and what each channel of its result is multiplied by. */
export interface ScaledConv {
  /** `[out, kernel · kernel · in]`, the input in (row, column, channel) order. */
  weight: Tensor2D;
  /** `[out]`. */
  gain: Tensor1D;
  /** `[out]`. */
  bias: Tensor1D;
}

/** Options of {@linkcode convolve}. */
export interface ConvolveOptions {
  /** Side of the kernel, odd; torch's `padding = (kernel - 1) / 2`. @default {3} */
  kernel?: number;
  /** Step. @default {1} */
  stride?: 1 | 2;
  /** Added, of the result's shape: a residual. @default {nothing} */
  addend?: Tensor4D;
  /** Whether negative results become 0. @default {false} */
  relu?: boolean;
}

/**
 * `y = gain (W ∗ x) + bias + addend`, cross-correlation as torch's `conv2d`, then ReLU where asked for.
 *
 * @param x Shape `[B, H, W, in]`.
 * @returns Shape `[B, ⌈H / stride⌉, ⌈W / stride⌉, out]`. The caller disposes it.
 * @throws {TypeError} If the weights are not of such a kernel over x's channels, or the addend has another shape.
 */
export function convolve(layer: ScaledConv, x: Tensor4D, options: ConvolveOptions = {}): Tensor4D {
  const { kernel = 3, stride = 1, addend, relu = false } = options;
  const [batch, height, width, channels] = x.shape;
  const [out, fan] = layer.weight.shape;
  const shape = [batch, Math.ceil(height / stride), Math.ceil(width / stride), out];
  if (fan !== kernel ** 2 * channels) {
    throw new TypeError(
      `Cannot convolve as the weights must have ${
        kernel ** 2 * channels
      } columns, ${kernel} x ${kernel} of ${channels} ` +
        `channels: current shape is [${layer.weight.shape}]`,
    );
  }
  if (addend && addend.shape.some((size, d) => size !== shape[d])) {
    throw new TypeError(
      `Cannot add to a convolution as the addend must have shape [${shape}]: current shape is [${addend.shape}]`,
    );
  }
  const inputs = { x, ...layer, ...(addend ? { addend } : {}) };
  checkFloat("convolve", inputs);
  const attrs = { kernel, stride, relu };
  return hasKernel("AceConv") ? runKernel("AceConv", inputs, attrs) : convolveInSteps(inputs, attrs);
}

/**
 * Means of squares of two pixels a side, torch's `AvgPool2d(2)`: an odd last row or column is left out.
 *
 * @param x Shape `[B, H, W, C]`.
 * @returns Shape `[B, ⌊H / 2⌋, ⌊W / 2⌋, C]`. The caller disposes it.
 */
export function averagePool2(x: Tensor4D): Tensor4D {
  return pool(x, "mean");
}

/**
 * The largest of 3 x 3 pixels at every second place, torch's `MaxPool2d(3, 2, 1)`, of numbers that are not negative.
 *
 * @param x Shape `[B, H, W, C]`.
 * @returns Shape `[B, ⌈H / 2⌉, ⌈W / 2⌉, C]`. The caller disposes it.
 */
export function maxPool3(x: Tensor4D): Tensor4D {
  return pool(x, "max");
}

function pool(x: Tensor4D, kind: "max" | "mean"): Tensor4D {
  checkFloat("pool", { x });
  return hasKernel("AcePool") ? runKernel("AcePool", { x }, { kind }) : poolInSteps(x, kind);
}
