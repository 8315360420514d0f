/** One query's attention, averaged over heads, as one kernel where the backend has it; lib/nn/attention.ts has the same in steps. @module */
import { tidy } from "../../ops.ts";
import type { Tensor2D, Tensor3D } from "../../types.ts";
import type { AffinityAttributes } from "../attributes.ts";
import { checkFloat, hasKernel, runKernel } from "../run.ts";
import "./gradient.ts";

/** Options of {@linkcode fusedAffinity}. */
export interface FusedAffinityOptions extends AffinityAttributes {
  /** 1 for a key that is seen, else 0, shape `[B, N]`. @default {all seen} */
  keyMask?: Tensor2D;
}

/**
 * The mean over heads of `scale q_0 · k_n`, or of its softmax over n.
 *
 * @param query Shape `[B, M, W]`; only row 0 is read.
 * @param key Shape `[B, N, W]`.
 * @returns Shape `[B, N - from]`. The caller disposes it; undefined where the backend has no such kernel.
 */
export function fusedAffinity(
  query: Tensor3D,
  key: Tensor3D,
  { keyMask, ...attrs }: FusedAffinityOptions,
): Tensor2D | undefined {
  if (!hasKernel("AceAffinity") || query.size === 0 || key.shape[1] <= attrs.from) return undefined;
  checkFloat("attend with", { query, key, keyMask });
  const inputs = { query, key, ...(keyMask ? { keyMask } : {}) };
  return tidy(() => runKernel("AceAffinity", inputs, attrs)[0]);
}
