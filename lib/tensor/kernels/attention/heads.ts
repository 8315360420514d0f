/** Heads as an axis of their own, and back. @module */
import * as tf from "@tensorflow/tfjs";
import { reshape } from "../../typed.ts";
import type { Tensor3D, Tensor4D } from "../../types.ts";

/** `[B, N, W]` to `[B, H, N, W / H]`. */
export function splitHeads(x: Tensor3D, heads: number): Tensor4D {
  const [batch, tokens, width] = x.shape;
  return tf.transpose(reshape(x, [batch, tokens, heads, width / heads]), [0, 2, 1, 3]);
}

/** `[B, H, N, W / H]` to `[B, N, W]`. */
export function joinHeads(x: Tensor4D): Tensor3D {
  const [batch, heads, tokens, width] = x.shape;
  return reshape(tf.transpose(x, [0, 2, 1, 3]), [batch, tokens, heads * width]);
}
