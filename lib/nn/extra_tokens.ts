/** Learned tokens between the first token and the rest, put in and taken out again. @module */
import * as tf from "@tensorflow/tfjs";
import type { Tensor2D, Tensor3D } from "../tensor/types.ts";

/**
 * The same learned rows after token 0 of every sample.
 *
 * @param x Shape `[B, N, D]`.
 * @param rows Shape `[P, D]`.
 * @returns Shape `[B, N + P, D]`. The caller disposes it.
 */
export function insertAfterFirst(x: Tensor3D, rows: Tensor2D): Tensor3D {
  const [batch, size, width] = x.shape;
  const count = rows.shape[0];
  return tf.tidy(() => {
    const copies = tf.broadcastTo(tf.expandDims(rows, 0), [batch, count, width]) as Tensor3D;
    const first = tf.slice(x, [0, 0, 0], [batch, 1, width]);
    return tf.concat([first, copies, tf.slice(x, [0, 1, 0], [batch, size - 1, width])], 1);
  });
}

/** The inverse of {@linkcode insertAfterFirst}: tokens 1 to P left out. */
export function dropAfterFirst(x: Tensor3D, count: number): Tensor3D {
  const [batch, size, width] = x.shape;
  return tf.tidy(() => {
    const first = tf.slice(x, [0, 0, 0], [batch, 1, width]);
    return tf.concat([first, tf.slice(x, [0, 1 + count, 0], [batch, size - 1 - count, width])], 1);
  });
}

/** A key mask `[B, N]` with `count` real keys put after the first; shape `[B, N + count]`. The caller disposes it. */
export function extendMask(mask: Tensor2D, count: number): Tensor2D {
  const [batch, size] = mask.shape;
  return tf.tidy(() =>
    tf.concat(
      [tf.slice(mask, [0, 0], [batch, 1]), tf.ones([batch, count]), tf.slice(mask, [0, 1], [batch, size - 1])],
      1,
    ) as Tensor2D
  );
}

/** The affinity `[B, P + N]` of token 0 without the P put in after it; shape `[B, N]`. The caller disposes it. */
export function dropFirstColumns(affinity: Tensor2D, count: number): Tensor2D {
  return tf.slice(affinity, [0, count], [affinity.shape[0], affinity.shape[1] - count]);
}
