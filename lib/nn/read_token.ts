/** The token of each sample that stands for the whole: the first, or the one a mask marks. @module */
import * as tf from "@tensorflow/tfjs";
import type { Tensor2D, Tensor3D } from "../tensor/types.ts";
import { indicator } from "../tensor/typed.ts";

/**
 * One token of each sample.
 *
 * @param x Shape `[B, N, D]`.
 * @param read 1 at the token, else 0; shape `[B, N]`. @default {token 0}
 * @returns Shape `[B, 1, D]`. The caller disposes it.
 */
export function tokenAt(x: Tensor3D, read?: Tensor2D): Tensor3D {
  if (!read) return tf.slice(x, [0, 0, 0], [x.shape[0], 1, x.shape[2]]);
  return tf.tidy(() => tf.sum(tf.mul(x, tf.expandDims(read, 2)), 1, true)); // a sum of one term, and zeros
}

/**
 * 1 at the marked token of each sample and before it, 0 after it; shape `[B, N]`. The caller disposes it.
 *
 * Not tf.cumsum: tfjs-backend-webgpu 4.22 keeps one program for all sizes of the axis and then adds up too much.
 */
export function upToToken(read: Tensor2D): Tensor2D {
  const size = read.shape[1];
  return tf.tidy(() => {
    const positions = tf.range(0, size);
    const place = tf.sum(tf.mul(read, positions), 1, true); // [B, 1]
    return indicator(tf.lessEqual<Tensor2D>(positions, place));
  });
}

/**
 * The marked token moved to the front of each sample; the others follow in their order.
 *
 * @param x Shape `[B, N, D]`.
 * @param read 1 at the token, else 0; shape `[B, N]`.
 * @returns Shape `[B, N, D]`. The caller disposes it.
 */
export function tokenFirst(x: Tensor3D, read: Tensor2D): Tensor3D {
  const [batch, size, width] = x.shape;
  return tf.tidy(() => {
    const moved = tf.slice(tf.expandDims(upToToken(read), 2), [0, 1, 0], [batch, size - 1, 1]); // places 1 to the token's
    const before = tf.slice(x, [0, 0, 0], [batch, size - 1, width]);
    const after = tf.slice(x, [0, 1, 0], [batch, size - 1, width]);
    const rest = tf.where(tf.broadcastTo(tf.greater(moved, 0), before.shape), before, after);
    return tf.concat([tokenAt(x, read), rest], 1);
  });
}
