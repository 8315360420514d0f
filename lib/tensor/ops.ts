/** Small operations that tf.js lacks. @module */
import * as tf from "@tensorflow/tfjs";
import { customGrad } from "./gradients.ts";
import { ranked } from "./shape.ts";
import { add, matMul, mul, reshape, softmax } from "./typed.ts";
import type { Tensor, Tensor2D } from "./types.ts";

/**
 * Runs `f` and frees every tensor it made except those in what it returns; `tf.tidy` for any record of tensors.
 *
 * @param f Synchronous.
 */
export function tidy<T>(f: () => T): T {
  // tf.js types what it looks through for tensors; it leaves all else as it is.
  return tf.tidy(f as () => tf.TensorContainer) as T;
}

/** The number that a scalar holds; the scalar is freed. */
export async function takeNumber(scalar: Tensor): Promise<number> {
  const [value] = await scalar.data();
  scalar.dispose();
  return value!;
}

/**
 * The same numbers, cut off from the gradient tape.
 *
 * @param x Any tensor.
 * @returns A new handle on the same data; no gradient flows through it.
 */
export function detach<T extends Tensor>(x: T): T {
  const engine = tf.engine();
  engine.backend.incRef(x.dataId);
  return ranked(engine.makeTensorFromTensorInfo({ dataId: x.dataId, shape: x.shape, dtype: x.dtype }), x);
}

/**
 * Rows of a table by index, with a gradient on every backend (tf.js has no scatter-add on wasm): the backward pass is
 * a one-hot product, so it is meant for tables of thousands of rows, and costs nothing while the table is frozen.
 *
 * @param table Shape `[V, D]`.
 * @param ids Integers below V, any shape `[...]`.
 * @returns Shape `[..., D]`. The caller disposes it.
 */
export function embeddingLookup(table: Tensor2D, ids: Tensor): Tensor {
  const [size, width] = table.shape;
  return customGrad([table], (rows) => ({
    value: tf.gather<Tensor>(rows, ids),
    saved: [ids], // they may have been made inside the differentiated function
    gradFunc: (dy, [kept]: [Tensor]) => [
      tf.tidy(() => {
        const hot = reshape(oneHotRows(reshape(kept, [ids.size]), size), [ids.size, size]);
        return matMul(hot, reshape(dy, [ids.size, width]), true, false);
      }),
    ],
  }));
}

/**
 * One-hot rows as float32. tf.js's own keeps an int32 buffer under a float type on webgpu, and refuses a depth of 1.
 *
 * @param indices Integers, any shape `[...]`.
 * @param size Length of a row.
 * @returns Shape `[..., size]`. The caller disposes it.
 */
export function oneHotRows(indices: Tensor, size: number): Tensor {
  return tf.tidy(() => {
    if (size > 1 && tf.getBackend() !== "webgpu") return tf.oneHot(indices, size).toFloat();
    const hits = tf.equal(tf.expandDims(indices, -1), tf.range(0, size, 1, "int32"));
    return tf.where(hits, tf.scalar(1), tf.scalar(0));
  });
}

/**
 * A 0/1 mask of each row's k largest entries; the lower index wins a tie. No gradient flows through it.
 *
 * @param x Shape `[..., N]`.
 * @param k At most N are kept.
 * @returns `mask` `[..., N]` float32 and `indices` `[..., min(k, N)]` int32, largest first. The caller disposes both.
 */
export function topKMask(x: Tensor, k: number): { mask: Tensor; indices: Tensor } {
  const size = x.shape[x.shape.length - 1]!;
  return tidy(() => {
    const { indices } = tf.topk(detach(x), Math.min(k, size));
    return { mask: tf.sum(oneHotRows(indices, size), -2), indices };
  });
}

/**
 * Softmax over the entries of a row where `mask` is 1; 0 elsewhere. A row without any entry is all 0.
 *
 * @param x Shape `[..., N]`.
 * @param mask Same shape, 1 or 0.
 * @returns Same shape. The caller disposes it.
 */
export function maskedSoftmax<T extends Tensor>(x: T, mask: Tensor): T {
  return tf.tidy(() => {
    const dropped = tf.mul(tf.sub(mask, 1), 1e9);
    return mul(softmax(add(mul(x, mask), dropped)), mask);
  });
}
