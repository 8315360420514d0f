/** Two-dimensional convolution as matrix products, so that every backend has its gradient. @module */
import * as tf from "@tensorflow/tfjs";
import { normal, zeros } from "../tensor/init.ts";
import { tidy } from "../tensor/ops.ts";
import { batchNorm, type BatchNormParams, type BatchStatistics, initBatchNorm } from "./batch_norm.ts";
import { customGrad } from "../tensor/gradients.ts";
import { everySecond } from "../tensor/kernels/conv/steps.ts";
import { add, reshape, slice } from "../tensor/typed.ts";
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from "../tensor/types.ts";

/** Weights of a convolution with zero padding `(kernel - 1) / 2`. */
export interface ConvParams {
  /** Shape `[out, kernel · kernel · in]`, the input in (row, column, channel) order. */
  weight: Tensor2D;
  /** Shape `[out]`. */
  bias?: Tensor1D;
  /** Side of the kernel. */
  kernel: 1 | 3 | 7;
  /** Step. */
  stride: 1 | 2;
}

/** Sizes of a new convolution. */
export interface ConvShape {
  /** Channels in. */
  input: number;
  /** Channels out. */
  output: number;
  /** Side of the kernel. @default {3} */
  kernel?: 1 | 3;
  /** Step. @default {1} */
  stride?: 1 | 2;
  /** Whether there is an offset. @default {true} */
  bias?: boolean;
}

/** Random weights, Kaiming normal over the inputs, no offset at first; `name` keeps streams apart. */
export function initConv(shape: ConvShape, seed: number, name: string): ConvParams {
  const { input, output, kernel = 3, stride = 1, bias = true } = shape;
  const fan = kernel * kernel * input;
  return {
    weight: normal([output, fan], Math.sqrt(2 / fan), seed, name),
    ...(bias ? { bias: zeros([output]) } : {}),
    kernel,
    stride,
  };
}

/**
 * `y = W ∗ x + b`, cross-correlation as torch's `conv2d` with `padding = (kernel - 1) / 2`.
 *
 * @param params Weights.
 * @param x Shape `[B, H, W, in]`.
 * @returns Shape `[B, ⌈H / stride⌉, ⌈W / stride⌉, out]`. The caller disposes it.
 * @throws {TypeError} If the channels do not fit the weights.
 */
export function conv2d(params: ConvParams, x: Tensor4D): Tensor4D {
  const { weight, bias, kernel, stride } = params;
  const [batch, height, width, channels] = x.shape;
  const [out, fan] = weight.shape;
  if (fan !== kernel * kernel * channels) {
    throw new TypeError(
      `Cannot convolve as x must have ${fan / kernel / kernel} channels: current shape is [${x.shape}]`,
    );
  }
  return tf.tidy(() => {
    let y: Tensor4D;
    if (kernel === 1 && stride === 1) {
      const rows = reshape(x, [batch * height * width, channels]);
      y = reshape(tf.matMul(rows, weight, false, true), [batch, height, width, out]);
    } else if (kernel === 3) {
      y = convolve3(x, weight);
      if (stride === 2) y = everySecond(y);
    } else {throw new RangeError(
        `Cannot convolve as the kernel must be 3, or 1 with stride 1: current ones are ${kernel} and ${stride}`,
      );}
    return bias ? add(y, bias) : y;
  });
}

/**
 * A 3 x 3 convolution as nine matrix products. The images, with a border of zeros, lie behind one another as rows of pixels;
 * what a tap reads is then the same rows some rows further on, one piece of memory. Products for border pixels are computed
 * and dropped. Nothing but `x` and the weights is kept for the backward pass.
 */
function convolve3(x: Tensor4D, weight: Tensor2D): Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const out = weight.shape[0];
  const [tall, wide] = [height + 2, width + 2];
  const total = batch * tall * wide;
  const far = 2 * wide + 2; // offset of the last tap
  const rows = total - far; // the last of them is the last pixel of the last image
  const offset = (tap: number): number => Math.floor(tap / 3) * wide + tap % 3;
  const taps = Array.from({ length: 9 }, (_, tap) => tap);
  /** The images with their border, `[total, channels]`. */
  const bordered = (images: Tensor4D): Tensor2D => {
    const lines = tf.reshape(images, [batch, height, width * channels]);
    return reshape(tf.pad(lines, [[0, 0], [1, 1], [channels, channels]]), [total, channels]);
  };
  /** `[9, out, channels]`: each tap's weights are one piece of memory. */
  const byTap = (w: Tensor2D): Tensor => tf.transpose(tf.reshape(w, [out, 9, channels]), [1, 0, 2]);
  const tapWeights = (w: Tensor, tap: number): Tensor2D =>
    tf.reshape(tf.slice(w, [tap, 0, 0], [1, out, channels]), [out, channels]);
  const window = (from: Tensor2D, tap: number): Tensor2D => tf.slice(from, [offset(tap), 0], [rows, -1]);
  const sum = (term: (tap: number) => Tensor2D): Tensor2D =>
    taps.slice(1).reduce((y, tap) => {
      const next = tf.tidy(() => add(y, term(tap)));
      y.dispose();
      return next;
    }, tf.tidy(() => term(0)));
  return customGrad([x, weight], (images, w) => {
    const value = tf.tidy(() => {
      const pixels = bordered(images);
      const weights = byTap(w);
      const y = sum((tap) => tf.matMul(window(pixels, tap), tapWeights(weights, tap), false, true));
      const all = reshape(tf.pad(y, [[0, far], [0, 0]]), [batch, tall, wide * out]);
      return reshape(tf.slice(all, [0, 0, 0], [batch, height, width * out]), [
        batch,
        height,
        width,
        out,
      ]);
    });
    type Saved = readonly [Tensor4D, Tensor2D];
    const gradFunc = (dy: Tensor4D, [images, w]: Saved): [Tensor, Tensor] => {
      const { dx, dw } = tidy(() => {
        const lines = reshape(dy, [batch, height, width * out]);
        const slopes = reshape(tf.pad(lines, [[0, 0], [0, 2], [0, 2 * out]]), [total, out]);
        const pixels = bordered(images);
        const own = tf.slice(slopes, [0, 0], [rows, out]);
        const dw = tf.stack(taps.map((tap) => tf.tidy(() => tf.matMul(own, window(pixels, tap), true, false))), 1);
        const before = tf.pad(slopes, [[far, 0], [0, 0]]);
        const weights = byTap(w);
        const dPixels = sum((tap) =>
          tf.matMul(slice(before, [far - offset(tap), 0], [total, out]), tapWeights(weights, tap))
        );
        const all = reshape(dPixels, [batch, tall, wide * channels]);
        const dx = tf.slice(all, [0, 1, channels], [batch, height, width * channels]);
        return { dx: tf.reshape(dx, images.shape), dw: tf.reshape(dw, w.shape) };
      });
      return [dx, dw];
    };
    const saved: Saved = [images, w];
    return { value, saved, gradFunc };
  });
}

/** A convolution and what normalises it. */
export interface ConvNormParams {
  /** 3 x 3 or 1 x 1. */
  conv: ConvParams;
  /** After it. */
  norm: BatchNormParams;
}

/** {@linkcode initConv} and {@linkcode initBatchNorm} in one. */
export function initConvNorm(shape: ConvShape, seed: number, name: string): ConvNormParams {
  return { conv: initConv(shape, seed, name), norm: initBatchNorm(shape.output) };
}

/** The convolution, normalised: by the batch while training, which fills `statistics`, else by the running averages. */
export function convNorm(params: ConvNormParams, x: Tensor4D, statistics?: BatchStatistics): Tensor4D {
  return batchNorm(params.norm, conv2d(params.conv, x), statistics);
}
