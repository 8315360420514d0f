/** Attention with dropout on its probabilities, as BERT has it while training. @module */
import * as tf from "@tensorflow/tfjs";
import type { AttentionOptions } from "../tensor/kernels/attention/api.ts";
import { joinHeads, splitHeads } from "../tensor/kernels/attention/heads.ts";
import { dropout, type DropoutOptions } from "../tensor/kernels/dropout/api.ts";
import { tidy } from "../tensor/ops.ts";
import { customGrad } from "../tensor/gradients.ts";
import { add, matMul, mul, softmax, sub } from "../tensor/typed.ts";
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from "../tensor/types.ts";

/** Options of {@linkcode droppedAttention}. */
export interface DroppedAttentionOptions extends AttentionOptions {
  /** Rate and seed; element `[b, h, i, j]` of the mask is the one of that flat index. */
  drop: DropoutOptions;
}

/**
 * `drop(softmax(scale Q Kᵀ)) V` per head. The probabilities `[B, H, M, N]` are there while it is computed and not kept: the
 * gradient computes them and the mask again. Without the dropout it is `attention()`, which holds no probabilities at all.
 *
 * Source: transformers `BertSelfAttention` in training mode.
 *
 * @param query Shape `[B, M, W]`.
 * @param key Shape `[B, N, W]`.
 * @param value Shape `[B, N, W]`.
 * @returns Context, shape `[B, M, W]`. The caller disposes it.
 */
export function droppedAttention(
  query: Tensor3D,
  key: Tensor3D,
  value: Tensor3D,
  options: DroppedAttentionOptions,
): Tensor3D {
  const { heads, drop, scale = 1 / Math.sqrt(query.shape[2] / heads) } = options;
  return customGrad([query, key, value], (q, k, v) => {
    const seen = seenKeys(q.shape[1], k.shape[1], options);
    const value = tidy(() => {
      const [qs, ks, vs] = [splitHeads(q, heads), splitHeads(k, heads), splitHeads(v, heads)];
      return joinHeads(matMul(dropout(probabilities(qs, ks, scale, seen), drop), vs));
    });
    type Saved = readonly [Tensor3D, Tensor3D, Tensor3D, ...seen: Tensor[]];
    const gradFunc = (dy: Tensor3D, [q, k, v, kept]: Saved): [Tensor3D, Tensor3D, Tensor3D] =>
      tidy(() => {
        const [qs, ks, vs, dys] = [
          splitHeads(q, heads),
          splitHeads(k, heads),
          splitHeads(v, heads),
          splitHeads(dy, heads),
        ];
        const p = probabilities(qs, ks, scale, kept);
        const dv = matMul(dropout(p, drop), dys, true, false);
        const dp = dropout(matMul(dys, vs, false, true), drop);
        let ds = mul(mul(p, sub(dp, tf.sum(mul(dp, p), -1, true))), scale);
        if (kept) ds = mul(ds, kept); // the score of a masked key is a constant
        return [joinHeads(matMul(ds, ks)), joinHeads(matMul(ds, qs, true, false)), joinHeads(dv)];
      });
    const saved: Saved = seen ? [q, k, v, seen] : [q, k, v];
    return { value, saved, gradFunc };
  });
}

/** 1 where a query sees a key, 0 where not; broadcasts to `[B, H, M, N]`. Nothing where all see all. */
function seenKeys(
  queries: number,
  keys: number,
  options: { keyMask?: Tensor2D; causal?: boolean },
): Tensor | undefined {
  const { keyMask, causal = false } = options;
  if (!keyMask && !causal) return undefined;
  return tf.tidy(() => {
    const real = keyMask ? tf.reshape(keyMask, [keyMask.shape[0], 1, 1, keys]) : tf.ones([1, 1, 1, keys]);
    if (!causal) return tf.clone(real);
    const positions = (count: number, shape: number[]): Tensor => tf.reshape(tf.range(0, count), shape);
    const before = tf.lessEqual(positions(keys, [1, keys]), positions(queries, [queries, 1]));
    return tf.where(before, real, tf.scalar(0));
  });
}

/** `softmax(scale Q Kᵀ)`, `[B, H, M, N]`; exactly 0 for a key that is not seen, even shares where none is. */
export function probabilities(q: Tensor4D, k: Tensor4D, scale: number, seen?: Tensor): Tensor4D {
  const scores = mul(matMul(q, k, false, true), scale);
  if (!seen) return softmax(scores);
  return softmax(add(tf.mul(scores, seen), tf.mul(tf.sub(seen, 1), 1e9)));
}
