/** Convolutions and poolings in tf.js's own steps, and their gradients, on every backend. @module */
import * as tf from "@tensorflow/tfjs";
import { customGrad } from "../../gradients.ts";
import { add, expandDims, matMul, mul, reshape, slice } from "../../typed.ts";
import type { Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from "../../types.ts";
import type { ConvAttributes } from "../attributes.ts";
import { fusedLinear } from "../linear/api.ts";
import { hasKernel } from "../run.ts";

/** Side of a kernel and step. */
type ConvStep = Pick<ConvAttributes, "kernel" | "stride">;

/** What is convolved with what. */
export interface ConvInputs {
  x: Tensor4D;
  weight: Tensor2D;
  gain: Tensor1D;
  bias: Tensor1D;
  addend?: Tensor4D;
}

/** AceConv, the gain inside the weights: `relu((gain W) ∗ x + bias + addend)`. */
export function convolveInSteps({ x, weight, gain, bias, addend }: ConvInputs, attrs: ConvAttributes): Tensor4D {
  const { kernel, stride, relu } = attrs;
  return tf.tidy(() => {
    const scaled = mul(weight, expandDims(gain, 1));
    const y = kernel === 1
      ? eachPixel(scaled, bias, stride === 2 ? everySecond(x) : x, addend)
      : plus(add(correlate(x, scaled, attrs), bias), addend);
    return relu ? tf.relu(y) : y;
  });
}

function plus(y: Tensor4D, addend: Tensor4D | undefined): Tensor4D {
  return addend ? add(y, addend) : y;
}

/** One pixel wide it is a linear layer. */
function eachPixel(weight: Tensor2D, bias: Tensor1D, x: Tensor4D, addend?: Tensor4D): Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const [out] = weight.shape;
  const shape = [batch, height, width, out] as const;
  const rows = reshape(x, [batch * height * width, channels]);
  if (!hasKernel("AceLinear")) return plus(reshape(add(matMul(rows, weight, false, true), bias), shape), addend);
  const addends = addend ? { addend: reshape(addend, [batch * height * width, out]) } : {};
  return reshape(fusedLinear(rows, { weight, bias }, addends), shape);
}

/** tf.js has no gradient by the kernel on wasm: here it is a product with the pixels that each place read. */
function correlate(x: Tensor4D, weight: Tensor2D, step: ConvStep): Tensor4D {
  return customGrad([x, weight], (images, w) => ({
    value: tf.tidy(() => tf.conv2d(images, filterOf(w, step.kernel), step.stride, (step.kernel - 1) / 2)),
    saved: [images, w] as const,
    gradFunc: (dy: Tensor4D, [images, w]: readonly [Tensor4D, Tensor2D]): [Tensor, Tensor] => [
      convolutionGradX(dy, w, { ...step, shape: images.shape }),
      convolutionGradWeight(dy, images, step),
    ],
  }));
}

/** The kernels as tf.js has them, `[kernel, kernel, in, out]`. */
function filterOf(weight: Tensor2D, kernel: number): Tensor4D {
  const [out, fan] = weight.shape;
  return reshape(tf.transpose(weight), [kernel, kernel, fan / kernel ** 2, out]);
}

/** The gradient of a convolution's images, `[B, H, W, in]`: `shape`. */
export function convolutionGradX(
  dy: Tensor4D,
  weight: Tensor2D,
  { kernel, stride, shape }: ConvStep & { shape: Tensor4D["shape"] },
): Tensor4D {
  return tf.tidy(() => tf.conv2dTranspose(dy, filterOf(weight, kernel), shape, stride, (kernel - 1) / 2));
}

/** The gradient of its kernels, `[out, kernel · kernel · in]`. */
export function convolutionGradWeight(dy: Tensor4D, x: Tensor4D, step: ConvStep): Tensor2D {
  const out = dy.shape[3];
  return tf.tidy(() => matMul(reshape(dy, [dy.size / out, out]), windows(x, step), true, false));
}

/** Rows 0, 2, ... and columns 0, 2, ... (tf.js has no gradient of a strided slice). */
export function everySecond(x: Tensor4D): Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const [rows, columns] = [Math.ceil(height / 2), Math.ceil(width / 2)];
  const even = tf.pad(x, [[0, 0], [0, height % 2], [0, width % 2], [0, 0]]);
  const pairs = reshape(even, [batch * rows, 2, columns, 2 * channels]);
  const first = tf.slice(pairs, [0, 0, 0, 0], [batch * rows, 1, columns, channels]);
  return reshape(first, [batch, rows, columns, channels]);
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
    return tf.tidy(() => everySecond(slice(wide, from, [batch, 2 * rows - 1, 2 * columns - 1, channels])));
  });
  return reshape(tf.concat(taps, 3), [batch * rows * columns, kernel * kernel * channels]);
}

/** AcePool. */
export function poolInSteps(x: Tensor4D, kind: "max" | "mean"): Tensor4D {
  return tf.tidy(() => kind === "max" ? largestOfNine(x) : meanOfFour(x));
}

function meanOfFour(x: Tensor4D): Tensor4D {
  const [batch, , , channels] = x.shape;
  const [rows, columns] = [Math.floor(x.shape[1] / 2), Math.floor(x.shape[2] / 2)];
  const even = slice(x, [0, 0, 0, 0], [batch, 2 * rows, 2 * columns, channels]);
  const [top, bottom] = halves(reshape(even, [batch * rows, 2, 2 * columns * channels]));
  const [left, right] = halves(reshape(add(top, bottom), [batch * rows * columns, 2, channels]));
  return reshape(mul(add(left, right), 0.25), [batch, rows, columns, channels]);
}

/** Of numbers that are not negative: the border counts as 0. */
function largestOfNine(x: Tensor4D): Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const [rows, columns] = [Math.ceil(height / 2), Math.ceil(width / 2)];
  const tall = largestOfThree(reshape(x, [batch, height, width * channels]), rows);
  const across = largestOfThree(reshape(tall, [batch * rows, width, channels]), columns);
  return reshape(across, [batch, rows, columns, channels]);
}

/** The largest of places `2i - 1`, `2i`, `2i + 1` of the middle axis, for `count` places i. */
function largestOfThree(x: Tensor3D, count: number): Tensor3D {
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
function halves(x: Tensor3D): [Tensor2D, Tensor2D] {
  const [outer, , inner] = x.shape;
  const half = (place: number): Tensor2D => reshape(slice(x, [0, place, 0], [outer, 1, inner]), [outer, inner]);
  return [half(0), half(1)];
}
