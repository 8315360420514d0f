/** Attention with something added to its scores, step by step. @module */
import * as tf from "@tensorflow/tfjs";
import { add, matMul, mul, reshape, softmax } from "../../typed.ts";
import type { Tensor3D, Tensor4D } from "../../types.ts";
import { joinHeads, splitHeads } from "../attention/heads.ts";
import { mapTuple } from "../../../platform/map_tuple.ts";

/** AceBiasedAttention. */
export function biasedAttentionInSteps(qkv: readonly [Tensor3D, Tensor3D, Tensor3D], bias: Tensor4D): Tensor3D {
  const [groups, heads] = bias.shape;
  return tf.tidy(() => {
    const [query, key, value] = mapTuple(qkv, (x) => splitHeads(x, heads));
    const scores = mul(matMul(query, key, false, true), 1 / Math.sqrt(query.shape[3]));
    const [batch] = scores.shape;
    const sums = add(reshape(scores, [batch / groups, bias.size]), reshape(bias, [1, bias.size]));
    return joinHeads(matMul(softmax(reshape(sums, scores.shape)), value));
  });
}
