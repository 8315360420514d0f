/** Convolutions and poolings with a step, as the towers of ResNets have them, with gradients on every backend. @module */
import * as tf from "@tensorflow/tfjs";
import { customGrad } from "../tensor/gradients.ts";
import { add, matMul, mul, reshape, slice } from "../tensor/typed.ts";
import type { Tensor, Tensor2D, Tensor4D } from "../tensor/types.ts";
import { everySecond } from "./conv.ts";
import { type FrozenLinear, linear } from "./linear.ts";

/** Shape of a convolution: torch's `padding = (kernel - 1) / 2`. */
export interface ConvStep {
  /** Side of the kernel, odd. */
  kernel: number;
  /** Step. */
  stride: 1 | 2;
}

/**
 * Numbers of a kernel over places of the result above which a product is quicker on wasm: tf.js packs the kernel anew at each call
 * there. Measured on ResNet-50's sizes: of 256 channels on 14 x 14 and of 512 on 7 x 7 the product is, of 128 on 28 x 28 it is not.
 */
const REPACKED = 150;

/**
 * `y = W ∗ x + b` (`+ addend`), cross-correlation as torch's `conv2d`. One pixel wide it is a linear layer, else the backend's own
 * kernel.
 *
 * @param params Weight `[out, kernel · kernel · in]`, the input in (row, column, channel) order, and bias `[out]`.
 * @param x Shape `[B, H, W, in]`.
 * @param addend Added last, of the result's shape. @default {nothing}
 * @returns Shape `[B, ⌈H / stride⌉, ⌈W / stride⌉, out]`. The caller disposes it.
 */
export function stridedConv(params: FrozenLinear, x: Tensor4D, step: ConvStep, addend?: Tensor4D): Tensor4D {
  const { kernel, stride } = step;
  return tf.tidy(() => {
    const options = addend ? { addend } : {};
    if (kernel === 1) return linear(params, stride === 2 ? everySecond(x) : x, options);
    const [rows, columns] = [Math.ceil(x.shape[1] / stride), Math.ceil(x.shape[2] / stride)];
    if (tf.getBackend() === "wasm" && params.weight.size > REPACKED * x.shape[0] * rows * columns) {
      const y = linear(params, windows(x, step), options);
      return reshape(y, [x.shape[0], rows, columns, params.weight.shape[0]]);
    }
    const y = correlate(x, params.weight, step);
    const sum = params.bias ? add(y, params.bias) : y;
    return addend ? add(sum, addend) : sum;
  });
}

/** tf.js has no gradient by the kernel on wasm: here it is a product with the pixels that each place read. */
function correlate(x: Tensor4D, weight: Tensor2D, step: ConvStep): Tensor4D {
  const { kernel, stride } = step;
  const pad = (kernel - 1) / 2;
  const [out] = weight.shape;
  const channels = x.shape[3];
  const filterOf = (w: Tensor2D): Tensor4D => reshape(tf.transpose(w), [kernel, kernel, channels, out]);
  return customGrad([x, weight], (images, w) => ({
    value: tf.tidy(() => tf.conv2d(images, filterOf(w), stride, pad)),
    saved: [images, w] as const,
    gradFunc: (dy: Tensor4D, [images, w]: readonly [Tensor4D, Tensor2D]): [Tensor, Tensor] => [
      tf.tidy(() => tf.conv2dTranspose(dy, filterOf(w), images.shape, stride, pad)),
      tf.tidy(() => matMul(reshape(dy, [-1, out]) as Tensor2D, windows(images, step), true, false)),
    ],
  }));
}

/** The pixels that each place of the result reads, `[B · rows · columns, kernel · kernel · in]`. */
function windows(x: Tensor4D, { kernel, stride }: ConvStep): Tensor2D {
  const [batch, height, width, channels] = x.shape;
  const pad = (kernel - 1) / 2;
  const [rows, columns] = [Math.ceil(height / stride), Math.ceil(width / stride)];
  const [below, right] = [(rows - 1) * stride + kernel - pad - height, (columns - 1) * stride + kernel - pad - width];
  const wide = tf.pad(x, [[0, 0], [pad, Math.max(0, below) + 1], [pad, Math.max(0, right) + 1], [0, 0]]);
  const taps = Array.from({ length: kernel * kernel }, (_, tap) => {
    const from = [0, Math.floor(tap / kernel), tap % kernel, 0];
    if (stride === 1) return tf.slice(wide, from, [batch, rows, columns, channels]);
    return everySecond(slice(wide, from, [batch, 2 * rows - 1, 2 * columns - 1, channels]));
  });
  return reshape(tf.concat(taps, 3), [batch * rows * columns, kernel * kernel * channels]);
}

/** Means of squares of two pixels a side, torch's `AvgPool2d(2)`: an odd last row or column is left out. */
export function averagePool2(x: Tensor4D): Tensor4D {
  const [batch, , , channels] = x.shape;
  const [rows, columns] = [Math.floor(x.shape[1] / 2), Math.floor(x.shape[2] / 2)];
  return tf.tidy(() => {
    const even = slice(x, [0, 0, 0, 0], [batch, 2 * rows, 2 * columns, channels]);
    const [top, bottom] = halves(reshape(even, [batch * rows, 2, 2 * columns * channels]));
    const [left, right] = halves(reshape(add(top, bottom), [batch * rows * columns, 2, channels]));
    return reshape(mul(add(left, right), 0.25), [batch, rows, columns, channels]);
  });
}

/**
 * The largest of 3 x 3 pixels at every second place, torch's `MaxPool2d(3, 2, 1)`, of numbers that are not negative: the border
 * counts as 0.
 *
 * @param x Shape `[B, H, W, C]`.
 * @returns Shape `[B, ⌈H / 2⌉, ⌈W / 2⌉, C]`. The caller disposes it.
 */
export function maxPool3(x: Tensor4D): Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const [rows, columns] = [Math.ceil(height / 2), Math.ceil(width / 2)];
  return tf.tidy(() => {
    const tall = largestOfThree(reshape(x, [batch, height, width * channels]), rows);
    const across = largestOfThree(reshape(tall, [batch * rows, width, channels]), columns);
    return reshape(across, [batch, rows, columns, channels]);
  });
}

/** The largest of places `2i - 1`, `2i`, `2i + 1` of the middle axis, for `count` places i. */
function largestOfThree(x: tf.Tensor3D, count: number): tf.Tensor3D {
  const [outer, size, inner] = x.shape;
  const padded = tf.pad(x, [[0, 0], [1, 2 * count + 1 - size], [0, 0]]); // 2 count + 2 places
  const pairs = reshape(padded, [outer, count + 1, 2 * inner]);
  const even = slice(pairs, [0, 0, 0], [outer, count + 1, inner]);
  const middle = slice(pairs, [0, 0, inner], [outer, count, inner]);
  const first = slice(even, [0, 0, 0], [outer, count, inner]);
  const last = slice(even, [0, 1, 0], [outer, count, inner]);
  return tf.maximum(tf.maximum(first, middle), last);
}

/** Both halves of an axis of two, which goes. */
function halves(x: tf.Tensor3D): [Tensor2D, Tensor2D] {
  const [outer, , inner] = x.shape;
  const half = (place: number): Tensor2D => reshape(slice(x, [0, place, 0], [outer, 1, inner]), [outer, inner]);
  return [half(0), half(1)];
}
