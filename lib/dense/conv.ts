/** Two-dimensional convolution as a matrix product of unfolded patches, so that every backend has its gradient. @module */
import * as tf from "@tensorflow/tfjs";
import { normal, zeros } from "../tensor/init.ts";
import { tidy } from "../tensor/ops.ts";
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from "../tensor/types.ts";

/** Weights of a convolution with zero padding `(kernel - 1) / 2`. */
export interface ConvParams {
  /** Shape `[out, kernel · kernel · in]`, the input in (row, column, channel) order. */
  weight: Tensor2D;
  /** Shape `[out]`. */
  bias?: Tensor1D;
  /** Side of the kernel. */
  kernel: 1 | 3;
  /** Step. */
  stride: 1 | 2;
}

/** Most numbers unfolded at a time (64 MiB); the unfolded patches are never kept for the backward pass. */
const UNFOLDED = 2 ** 24;

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
    weight: normal([output, fan], Math.sqrt(2 / fan), seed, name) as Tensor2D,
    ...(bias ? { bias: zeros([output]) as Tensor1D } : {}),
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
      const rows = tf.reshape(x, [batch * height * width, channels]) as Tensor2D;
      y = tf.reshape(tf.matMul(rows, weight, false, true), [batch, height, width, out]) as Tensor4D;
    } else if (kernel === 3) {
      y = convolve3(x, weight, stride);
    } else throw new RangeError("Cannot convolve as a kernel of 1 must have stride 1: current stride is 2");
    return bias ? tf.add(y, bias) as Tensor4D : y;
  });
}

/** The geometry of a 3 x 3 convolution over a chunk of images. */
interface Geometry {
  batch: number;
  height: number;
  width: number;
  channels: number;
  stride: 1 | 2;
  /** Rows out. */
  rows: number;
  /** Columns out. */
  columns: number;
}

function chunksOf(x: Tensor4D, stride: 1 | 2): { start: number; geometry: Geometry }[] {
  const [batch, height, width, channels] = x.shape;
  const rows = Math.ceil(height / stride), columns = Math.ceil(width / stride);
  const step = Math.max(1, Math.floor(UNFOLDED / (rows * columns * 9 * channels)));
  return Array.from({ length: Math.ceil(batch / step) }, (_, i) => ({
    start: i * step,
    geometry: { batch: Math.min(step, batch - i * step), height, width, channels, stride, rows, columns },
  }));
}

function convolve3(x: Tensor4D, weight: Tensor2D, stride: 1 | 2): Tensor4D {
  const out = weight.shape[0];
  const chunks = chunksOf(x, stride);
  const { rows, columns } = chunks[0]!.geometry;
  const part = (from: Tensor4D, start: number, count: number): Tensor4D =>
    chunks.length === 1 ? from : tf.slice(from, [start, 0, 0, 0], [count, -1, -1, -1]);
  const joined = (parts: Tensor4D[]): Tensor4D => parts.length === 1 ? parts[0]! : tf.concat(parts, 0);
  const run = tf.customGrad((first, second, save) => {
    const [xs, ws] = [first as Tensor4D, second as Tensor2D];
    (save as unknown as (tensors: Tensor[]) => void)([xs, ws]);
    const value = tf.tidy(() =>
      joined(chunks.map(({ start, geometry }) =>
        tf.tidy(() => {
          const cells = unfold(part(xs, start, geometry.batch), geometry);
          return tf.reshape(tf.matMul(cells, ws, false, true), [geometry.batch, rows, columns, out]) as Tensor4D;
        })
      ))
    );
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] => {
      const [xs, ws] = saved as [Tensor4D, Tensor2D];
      const { dx, dw } = tidy(() => {
        let dw: Tensor2D | undefined;
        const dx = chunks.map(({ start, geometry }) => {
          const one = tidy(() => {
            const cells = unfold(part(xs, start, geometry.batch), geometry);
            const slope = tf.reshape(part(dy as Tensor4D, start, geometry.batch), [-1, out]) as Tensor2D;
            return {
              dw: tf.matMul(slope, cells, true, false) as Tensor2D,
              dx: fold(tf.matMul(slope, ws) as Tensor2D, geometry),
            };
          });
          dw = dw ? tf.add(dw, one.dw) : one.dw;
          return one.dx;
        });
        return { dx: joined(dx), dw: dw! };
      });
      return [dx, dw];
    };
    return { value, gradFunc };
  });
  return run(x, weight) as Tensor4D;
}

/** Padded size of a side: the last step's window must lie within it. */
function padding(size: number, steps: number, stride: number): [number, number] {
  return [1, 1 + steps * stride - size];
}

/** The nine taps of every output pixel side by side: `[B · rows · columns, 9 · channels]`. */
function unfold(x: Tensor4D, geometry: Geometry): Tensor2D {
  const { batch, height, width, channels, stride, rows, columns } = geometry;
  return tf.tidy(() => {
    const padded = tf.pad(x, [[0, 0], padding(height, rows, stride), padding(width, columns, stride), [0, 0]]);
    const taps: Tensor[] = [];
    for (let row = 0; row < 3; row++) {
      for (let column = 0; column < 3; column++) {
        const window = tf.slice(padded, [0, row, column, 0], [batch, rows * stride, columns * stride, channels]);
        taps.push(stride === 1 ? window : everySecond(window, geometry));
      }
    }
    return tf.reshape(tf.concat(taps, 3), [batch * rows * columns, 9 * channels]) as Tensor2D;
  });
}

/** Rows 0, 2, ... and columns 0, 2, ... (tf.js has no gradient of a strided slice). */
function everySecond(x: Tensor, { batch, rows, columns, channels }: Geometry): Tensor {
  const pairs = tf.reshape(x, [batch * rows, 2, columns, 2 * channels]);
  return tf.reshape(tf.slice(pairs, [0, 0, 0, 0], [batch * rows, 1, columns, channels]), [
    batch,
    rows,
    columns,
    channels,
  ]);
}

/** The transpose of {@linkcode unfold}: adds every tap to the pixel it was read from. */
function fold(cells: Tensor2D, geometry: Geometry): Tensor4D {
  const { batch, height, width, channels, stride, rows, columns } = geometry;
  return tf.tidy(() => {
    let sum: Tensor | undefined;
    for (let row = 0; row < 3; row++) {
      for (let column = 0; column < 3; column++) {
        const tap = tf.slice(cells, [0, (row * 3 + column) * channels], [-1, channels]);
        let window = tf.reshape(tap, [batch, rows, columns, channels]) as Tensor4D;
        if (stride === 2) {
          const lone = tf.reshape(window, [batch * rows, 1, columns, channels]) as Tensor4D;
          const spread = tf.pad(lone, [[0, 0], [0, 1], [0, 0], [0, channels]]);
          window = tf.reshape(spread, [batch, 2 * rows, 2 * columns, channels]) as Tensor4D;
        }
        const placed = tf.pad(window, [[0, 0], [row, 2 - row], [column, 2 - column], [0, 0]]);
        sum = sum ? tf.add(sum, placed) : placed;
      }
    }
    return tf.slice(sum as Tensor4D, [0, 1, 1, 0], [batch, height, width, channels]);
  });
}
