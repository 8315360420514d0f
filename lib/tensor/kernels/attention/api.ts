/** Multi-head attention as one kernel. @module */
import * as tf from "@tensorflow/tfjs";
import type { Tensor2D, Tensor3D } from "../../types.ts";
import { checkFloat, runKernel } from "../run.ts";
import "./gradient.ts";

/** Options of {@linkcode attention}. */
export interface AttentionOptions {
  /** Number of heads `H`; divides the width. Heads are consecutive slices of `W / H` columns. */
  heads: number;
  /** Multiplies the products of queries and keys. @default 1 / sqrt(W / heads) */
  scale?: number;
  /** 1 for a key to attend to, 0 for padding; shape `[B, N]`. @default no padding */
  keyMask?: Tensor2D;
  /** Whether query `i` sees keys `0..i` only. @default false */
  causal?: boolean;
}

/**
 * Multi-head scaled dot-product attention, `softmax(scale Q Kᵀ) V` per head. Masked keys get probability exactly 0; a row
 * whose keys are all masked gets the mean of all values (torch's `masked_fill` with the smallest float). The
 * probabilities are not kept: the gradient computes them again from the log of each row's sum of exponentials.
 *
 * Source: Vaswani et al., Attention Is All You Need, 2017, Eq. (1); Dao et al., FlashAttention, 2022, for the gradient.
 *
 * @param query Shape `[B, M, W]`, float32.
 * @param key Shape `[B, N, W]`.
 * @param value Shape `[B, N, W]`.
 * @param options Units and defaults on the fields of {@linkcode AttentionOptions}.
 * @returns Context, shape `[B, M, W]`. The caller disposes it.
 * @throws {TypeError} If shapes or dtypes do not fit.
 * @throws {RangeError} If `heads` does not divide the width.
 */
export function attention(query: Tensor3D, key: Tensor3D, value: Tensor3D, options: AttentionOptions): Tensor3D {
  const { heads, keyMask, causal = false } = options;
  checkFloat("attend with", { query, key, value });
  checkShapes(query, key, value, keyMask);
  const width = query.shape[2];
  if (!(Number.isInteger(heads) && heads > 0 && width % heads === 0)) {
    throw new RangeError(`Cannot attend as heads must divide the width ${width}: current value is ${heads}`);
  }
  const scale = options.scale ?? 1 / Math.sqrt(width / heads);
  const inputs = { query, key, value, ...(keyMask ? { keyMask } : {}) };
  // An array with names: tfjs's `saveAllInputs`, which lets an input be optional, insists on an array.
  return tf.tidy(() => runKernel("AceAttention", Object.assign([], inputs), { heads, scale, causal })[0]);
}

function checkShapes(query: Tensor3D, key: Tensor3D, value: Tensor3D, keyMask?: Tensor2D): void {
  for (const [name, t] of Object.entries({ query, key, value })) {
    if (t.shape.length !== 3) {
      throw new TypeError(`Cannot attend as ${name} must be [B, N, W]: current shape is [${t.shape}]`);
    }
  }
  const [batch, , width] = query.shape;
  if (key.shape[0] !== batch || key.shape[2] !== width || key.shape.join() !== value.shape.join() || !key.shape[1]) {
    throw new TypeError(
      `Cannot attend as key and value must be [${batch}, N, ${width}], N > 0, for the query [${query.shape}]: ` +
        `current shapes are [${key.shape}] and [${value.shape}]`,
    );
  }
  if (keyMask && keyMask.shape.join() !== `${batch},${key.shape[1]}`) {
    throw new TypeError(
      `Cannot attend as keyMask must be [${batch}, ${key.shape[1]}]: current shape is [${keyMask.shape}]`,
    );
  }
}
