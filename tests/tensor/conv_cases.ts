/** Convolutions of given numbers, and their results in float64. @module */
import * as tf from "@tensorflow/tfjs";
import type { ConvolveOptions, ScaledConv } from "../../lib/tensor/kernels/conv/api.ts";
import type { Tensor, Tensor4D } from "../../lib/tensor/types.ts";

/** A convolution of given numbers: images, layer and addend. */
export interface ConvCase {
  shape: [number, number, number, number];
  out: number;
  options: ConvolveOptions & { kernel: number; stride: 1 | 2 };
  hasAddend: boolean;
}

/** Numbers without an order along any side. */
function numbers(count: number, salt: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => ((i * 7919 + salt * 104729) % 1009) / 504 - 1);
}

/** Its tensors. */
export function convInputs(
  { shape, out, options, hasAddend }: ConvCase,
): { x: Tensor4D; layer: ScaledConv; addend?: Tensor4D } {
  const [batch, height, width, channels] = shape;
  const { kernel, stride } = options;
  const fan = kernel ** 2 * channels;
  const result = [batch, Math.ceil(height / stride), Math.ceil(width / stride), out] as const;
  const addend = tf.tensor4d(numbers(result.reduce((a, b) => a * b), 5), [...result]);
  return {
    x: tf.tensor4d(numbers(batch * height * width * channels, 1), shape),
    layer: {
      weight: tf.tensor2d(numbers(out * fan, 2).map((v) => v / Math.sqrt(fan)), [out, fan]),
      gain: tf.tensor1d(numbers(out, 3)),
      bias: tf.tensor1d(numbers(out, 4)),
    },
    ...(hasAddend ? { addend } : {}),
  };
}

/** The same in float64, sum by sum. */
export async function convReference(given: ConvCase): Promise<Float32Array> {
  const { shape: [batch, height, width, channels], out, options: { kernel, stride, relu } } = given;
  const { x, layer, addend } = convInputs(given);
  const read = (tensor: Tensor): Promise<Float32Array> => tensor.data() as Promise<Float32Array>;
  const [images, weight, gain, bias] = await Promise.all([x, layer.weight, layer.gain, layer.bias].map(read));
  const added = addend && await read(addend);
  const [rows, columns, pad] = [Math.ceil(height / stride), Math.ceil(width / stride), (kernel - 1) / 2];
  const y = new Float32Array(batch * rows * columns * out);
  for (let i = 0; i < y.length; i++) {
    const [o, column] = [i % out, Math.floor(i / out) % columns];
    const [row, b] = [Math.floor(i / out / columns) % rows, Math.floor(i / out / columns / rows)];
    let sum = 0;
    for (let tap = 0; tap < kernel ** 2; tap++) {
      const [r, c] = [row * stride - pad + Math.floor(tap / kernel), column * stride - pad + tap % kernel];
      if (r < 0 || r >= height || c < 0 || c >= width) continue;
      const [from, to] = [((b * height + r) * width + c) * channels, (o * kernel ** 2 + tap) * channels];
      for (let channel = 0; channel < channels; channel++) sum += images![from + channel]! * weight![to + channel]!;
    }
    const value = gain![o]! * sum + bias![o]! + (added ? added[i]! : 0);
    y[i] = relu ? Math.max(0, value) : value;
  }
  return y;
}

/** Of every kernel and step, with every kind of remainder, and more than one block of places. */
export const CONV_CASES: readonly ConvCase[] = [
  { shape: [2, 9, 7, 5], out: 6, options: { kernel: 3, stride: 1, relu: true }, hasAddend: false },
  { shape: [2, 9, 8, 8], out: 24, options: { kernel: 3, stride: 2 }, hasAddend: true },
  { shape: [1, 40, 40, 16], out: 32, options: { kernel: 3, stride: 1, relu: true }, hasAddend: true }, // blocks of places
  { shape: [1, 64, 64, 32], out: 8, options: { kernel: 3, stride: 1 }, hasAddend: true }, // and of patches for a library
  { shape: [1, 6, 6, 128], out: 192, options: { kernel: 3, stride: 1 }, hasAddend: false }, // divided by columns
  { shape: [2, 15, 15, 3], out: 8, options: { kernel: 7, stride: 2, relu: true }, hasAddend: false },
  { shape: [2, 12, 11, 32], out: 40, options: { kernel: 1, stride: 1, relu: true }, hasAddend: true },
  { shape: [1, 7, 7, 16], out: 3, options: { kernel: 1, stride: 2 }, hasAddend: true },
];
/** For messages. */
export const nameOf = ({ shape, out, options: { kernel, stride } }: ConvCase): string =>
  `[${shape}] to ${out}, kernel ${kernel}, stride ${stride}`;
