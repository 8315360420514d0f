/** Attention whose probabilities are multiplied by a given tensor: its gradient says what each of them does. @module */
import * as tf from "@tensorflow/tfjs";
import { matMul, mul } from "../tensor/typed.ts";
import type { Tensor3D, Tensor4D } from "../tensor/types.ts";
import { joinHeads, splitHeads } from "../tensor/kernels/attention/heads.ts";
import { probabilities } from "./dropped_attention.ts";
import { mapTuple } from "../platform/map_tuple.ts";

/**
 * `(gate ⊙ softmax(Q Kᵀ / √(W/H))) V` per head. With a gate of ones it is the attention itself, and the gradient by the gate is each
 * probability times the gradient by it.
 *
 * @param qkv Query `[B, M, W]`, key and value `[B, N, W]`.
 * @param gate Shape `[B, H, M, N]`.
 * @returns Context, shape `[B, M, W]`. The caller disposes it.
 */
export function gatedAttention(qkv: readonly [Tensor3D, Tensor3D, Tensor3D], gate: Tensor4D): Tensor3D {
  const heads = gate.shape[1];
  return tf.tidy(() => {
    const [query, key, value] = mapTuple(qkv, (x) => splitHeads(x, heads));
    const weights = probabilities(query, key, 1 / Math.sqrt(query.shape[3]));
    return joinHeads(matMul(mul(weights, gate), value));
  });
}
