/** Two-dimensional convolution as matrix products, so that every backend has its gradient. @module */
import * as tf from "@tensorflow/tfjs";
import {
  checkOptions,
  checkRecord,
  checkValue,
  COUNT,
  FLAG,
  INTEGER,
  needed,
  RECORD,
  type Rule,
  type Rules,
  TEXT,
} from "../platform/options.ts";
import { normal, zeros } from "../tensor/init.ts";
import { tidy } from "../tensor/ops.ts";
import { batchNorm, type BatchNormParams, type BatchStatistics, initBatchNorm } from "./batch_norm.ts";
import { customGrad } from "../tensor/gradients.ts";
import { everySecond } from "../tensor/kernels/conv/steps.ts";
import { checkShape, checkWeights } from "../tensor/shape.ts";
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

const among = (numbers: readonly number[]): Rule => ({
  must: numbers.join(" or "),
  type: "number",
  allows: (value) => numbers.some((number) => number === value),
});

const SHAPE_RULES: Rules<ConvShape> = {
  input: needed(COUNT),
  output: needed(COUNT),
  kernel: among([1, 3]),
  stride: among([1, 2]),
  bias: FLAG,
};

/** What a convolution has beside its tensors. */
const CONV_RULES = { kernel: needed(among([1, 3, 7])), stride: needed(among([1, 2])) };

/** Random weights, Kaiming normal over the inputs, no offset at first; `name` keeps streams apart. */
export function initConv(shape: ConvShape, seed: number, name: string): ConvParams {
  checkOptions("build a convolution", shape, SHAPE_RULES, "size");
  checkValue("build a convolution", "seed", seed, INTEGER);
  checkValue("build a convolution", "name", name, TEXT);
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
  checkWeights("a convolution", params, ["weight", "bias?"]);
  checkRecord("convolve", "its weights", params, CONV_RULES);
  checkShape(x, [null, null, null, null], "the maps");
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
  const taps = tapsOf(x.shape, weight.shape[0]);
  return customGrad([x, weight], (images, w) => {
    type Saved = readonly [Tensor4D, Tensor2D];
    const saved: Saved = [images, w];
    const gradFunc = (dy: Tensor4D, [images, w]: Saved): [Tensor, Tensor] => convolve3Gradient(taps, dy, images, w);
    return { value: convolve3Forward(taps, images, w), saved, gradFunc };
  });
}

/** The nine taps of a kernel over bordered images. */
interface Taps {
  /** Sizes of the images and channels out. */
  sizes: { batch: number; height: number; width: number; channels: number; out: number };
  /** Rows of all bordered images, and those at which a kernel may start. */
  total: number;
  rows: number;
  /** How many rows further on a tap reads. */
  offset(tap: number): number;
  /** The images with their border, `[total, channels]`. */
  bordered(images: Tensor4D): Tensor2D;
  /** The weights `[out, 9 channels]` as `[9, out, channels]`: each tap's are one piece of memory. */
  byTap(weight: Tensor2D): Tensor;
  /** One tap's of them, `[out, channels]`. */
  weightsOf(byTap: Tensor, tap: number): Tensor2D;
  /** What a tap reads, `[rows, channels]`. */
  window(pixels: Tensor2D, tap: number): Tensor2D;
}

const TAPS: readonly number[] = Array.from({ length: 9 }, (_, tap) => tap);

function tapsOf([batch, height, width, channels]: Tensor4D["shape"], out: number): Taps {
  const wide = width + 2;
  const total = batch * (height + 2) * wide;
  const offset = (tap: number): number => Math.floor(tap / 3) * wide + tap % 3;
  const rows = total - offset(8); // the last of them is the last pixel of the last image
  return {
    sizes: { batch, height, width, channels, out },
    total,
    rows,
    offset,
    bordered(images) {
      const lines = tf.reshape(images, [batch, height, width * channels]);
      return reshape(tf.pad(lines, [[0, 0], [1, 1], [channels, channels]]), [total, channels]);
    },
    byTap: (weight) => tf.transpose(tf.reshape(weight, [out, 9, channels]), [1, 0, 2]),
    weightsOf: (byTap, tap) => tf.reshape(tf.slice(byTap, [tap, 0, 0], [1, out, channels]), [out, channels]),
    window: (pixels, tap) => tf.slice(pixels, [offset(tap), 0], [rows, -1]),
  };
}

/** The sum of a term over the taps, each freed once it is added. */
function sumOverTaps(term: (tap: number) => Tensor2D): Tensor2D {
  return TAPS.slice(1).reduce((y, tap) => {
    const next = tf.tidy(() => add(y, term(tap)));
    y.dispose();
    return next;
  }, tf.tidy(() => term(0)));
}

function convolve3Forward(taps: Taps, images: Tensor4D, weight: Tensor2D): Tensor4D {
  const { sizes: { batch, height, width, out }, total, rows } = taps;
  return tf.tidy(() => {
    const pixels = taps.bordered(images);
    const weights = taps.byTap(weight);
    const y = sumOverTaps((tap) => tf.matMul(taps.window(pixels, tap), taps.weightsOf(weights, tap), false, true));
    const all = reshape(tf.pad(y, [[0, total - rows], [0, 0]]), [batch, height + 2, (width + 2) * out]);
    return reshape(tf.slice(all, [0, 0, 0], [batch, height, width * out]), [batch, height, width, out]);
  });
}

function convolve3Gradient(taps: Taps, dy: Tensor4D, images: Tensor4D, weight: Tensor2D): [Tensor, Tensor] {
  const { sizes: { batch, height, width, channels, out }, total, rows, offset } = taps;
  const far = total - rows;
  return tidy(() => {
    const lines = reshape(dy, [batch, height, width * out]);
    const slopes = reshape(tf.pad(lines, [[0, 0], [0, 2], [0, 2 * out]]), [total, out]);
    const pixels = taps.bordered(images);
    const own = tf.slice(slopes, [0, 0], [rows, out]);
    const dw = tf.stack(TAPS.map((tap) => tf.tidy(() => tf.matMul(own, taps.window(pixels, tap), true, false))), 1);
    const before = tf.pad(slopes, [[far, 0], [0, 0]]);
    const weights = taps.byTap(weight);
    const dPixels = sumOverTaps((tap) =>
      tf.matMul(slice(before, [far - offset(tap), 0], [total, out]), taps.weightsOf(weights, tap))
    );
    const all = reshape(dPixels, [batch, height + 2, (width + 2) * channels]);
    const dx = tf.slice(all, [0, 1, channels], [batch, height, width * channels]);
    return [tf.reshape(dx, images.shape), tf.reshape(dw, weight.shape)];
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
  checkRecord("convolve", "params", params, { conv: needed(RECORD), norm: needed(RECORD) });
  return batchNorm(params.norm, conv2d(params.conv, x), statistics);
}
