/**
 * tf.js's functions with ranks. tf.js's own leave the rank of a result to whoever asks, so that each call would need a cast,
 * and a wrong one would pass. Same functions, same gradients.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { ranked, shaped } from "./shape.ts";
import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D, TensorOf } from "./types.ts";

/** The numbers in another shape; one written out, `[B * N, D]`, gives the rank. */
export function reshape<const Shape extends readonly number[]>(x: Tensor, shape: Shape): TensorOf<Shape> {
  return shaped(tf.reshape(x, [...shape]), shape);
}

/** Rows as the axes that they were made of: `[B * N, E]` of an `x` that is `[B, N, D]` becomes `[B, N, E]`. */
export function unflatten<T extends Tensor>(rows: Tensor2D, x: T): T {
  return ranked(tf.reshape(rows, [...x.shape.slice(0, -1), rows.shape[1]]), x);
}

/** The product of matrices, or of batches of them; the second has the first's rank or is broadcast. */
export function matMul<T extends Tensor2D | Tensor3D | Tensor4D>(
  a: T,
  b: Tensor,
  transposeA = false,
  transposeB = false,
): T {
  return tf.matMul(a, b, transposeA, transposeB);
}

/** `a + b`, b broadcast. */
export function add<T extends Tensor>(a: T, b: Tensor | number): T {
  return tf.add(a, b);
}

/** `a - b`, b broadcast. */
export function sub<T extends Tensor>(a: T, b: Tensor | number): T {
  return tf.sub(a, b);
}

/** `1 - x`: the other entries of a mask. */
export function complement<T extends Tensor>(x: T): T {
  return tf.sub(1, x);
}

/** `a b` element by element, b broadcast. */
export function mul<T extends Tensor>(a: T, b: Tensor | number): T {
  return tf.mul(a, b);
}

/** `a / b` element by element, b broadcast. */
export function div<T extends Tensor>(a: T, b: Tensor | number): T {
  return tf.div(a, b);
}

/** 1 where a condition holds, 0 elsewhere. Not a cast: tf.js keeps an int32 buffer under the float type on webgpu. */
export function indicator<T extends Tensor>(condition: T): T {
  return tf.cast(condition, "float32");
}

/** Softmax over the last axis. */
export function softmax<T extends Tensor>(x: T): T {
  return tf.softmax(x);
}

/** A part of a tensor, of the same rank; -1 in `size`: all from `begin` on. */
export function slice<T extends Tensor>(x: T, begin: number[], size: number[]): T {
  return tf.slice(x, begin, size);
}

type OneLess<T> = T extends Tensor4D ? Tensor3D
  : T extends Tensor3D ? Tensor2D
  : T extends Tensor2D ? Tensor1D
  : Scalar;
type OneMore<T> = T extends Tensor3D ? Tensor4D
  : T extends Tensor2D ? Tensor3D
  : T extends Tensor1D ? Tensor2D
  : Tensor;

/** The sum over one axis, which goes. */
export function sumOver<T extends Tensor1D | Tensor2D | Tensor3D | Tensor4D>(x: T, axis: number): OneLess<T> {
  return tf.sum(x, axis);
}

/** The mean over one axis, which goes. */
export function meanOver<T extends Tensor1D | Tensor2D | Tensor3D | Tensor4D>(x: T, axis: number): OneLess<T> {
  return tf.mean(x, axis);
}

/** A new axis of one. */
export function expandDims<T extends Tensor1D | Tensor2D | Tensor3D>(x: T, axis: number): OneMore<T> {
  return tf.expandDims(x, axis);
}
