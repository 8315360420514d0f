/** The contrastive loss of a matrix of products, where the backend has it; lib/losses/info_nce.ts has the same in steps. @module */
import { detach, tidy } from "../../ops.ts";
import type { Scalar, Tensor2D } from "../../types.ts";
import { hasKernel, runKernel } from "../run.ts";
import "./gradient.ts";

/** Whether the current backend has the kernel. */
export function canFuseInfoNce(): boolean {
  return hasKernel("AceInfoNce");
}

/**
 * The mean over i of `(lse_j(l_ij) + lse_j(l_ji)) / 2 - s p_ii` with `l = s p + 1e9 (mask - 1)`.
 *
 * @param products p, shape `[B, B]`.
 * @param scale s.
 * @param pairMask 1 for a pair that takes part, else 0; shape `[B, B]`. @default {all}
 * @returns Scalar. The caller disposes it.
 */
export function fusedInfoNce(products: Tensor2D, scale: Scalar, pairMask?: Tensor2D): Scalar {
  return tidy(() => {
    const inputs = { products, scale, ...(pairMask ? { pairMask: detach(pairMask) } : {}) };
    // An array with names: tfjs's `saveAllInputs`, which lets an input be optional, insists on an array.
    return runKernel("AceInfoNce", Object.assign([], inputs), {})[0];
  });
}
