/** Attention whose scores have something added: one kernel where the backend has it, else in steps. @module */
import type { Tensor3D, Tensor4D } from "../../types.ts";
import { checkFloat, hasKernel, runKernel } from "../run.ts";
import { biasedAttentionInSteps } from "./steps.ts";
import "./gradient.ts";

/**
 * `softmax(Q Kᵀ / √(W/H) + bias) V` per head.
 *
 * @param qkv Query, key and value, `[B, N, W]`.
 * @param bias Shape `[G, H, N, N]`; G divides B, and sample `b` has that of `b mod G`.
 * @returns Context, shape `[B, N, W]`. The caller disposes it.
 */
export function biasedAttention(qkv: readonly [Tensor3D, Tensor3D, Tensor3D], bias: Tensor4D): Tensor3D {
  const [query, key, value] = qkv;
  const inputs = { query, key, value, bias };
  checkFloat("attend with", inputs);
  return hasKernel("AceBiasedAttention")
    ? runKernel("AceBiasedAttention", inputs, {})
    : biasedAttentionInSteps(qkv, bias);
}
