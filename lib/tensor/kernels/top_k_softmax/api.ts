/** Softmax over each row's k largest entries: one kernel where the backend has it, else in steps. @module */
import * as tf from "@tensorflow/tfjs";
import { detach, maskedSoftmax, tidy, topKMask } from "../../ops.ts";
import { add, mul } from "../../typed.ts";
import type { Tensor } from "../../types.ts";
import { hasKernel, runKernel } from "../run.ts";
import "./gradient.ts";

/** Largest k the kernel takes. */
const MOST = 16;

/** What {@linkcode topKSoftmax} returns. */
export interface TopKSoftmaxResult<T extends Tensor> {
  /** `[..., N]`: softmax over the kept entries, 0 elsewhere. */
  weights: T;
  /** `[..., min(k, N)]` int32: the kept entries' places, largest first; only complete where enough were allowed. */
  indices: Tensor;
}

/**
 * Softmax over the k largest allowed entries of each row; the lower index wins a tie. The choice carries no gradient.
 *
 * @param scores Shape `[..., N]`.
 * @param k At most N are kept.
 * @param allowed 1 or 0; the shape of `scores`, or 1 for leading sizes that repeat. @default {all}
 * @returns The caller disposes both.
 */
export function topKSoftmax<T extends Tensor>(scores: T, k: number, allowed?: Tensor): TopKSoftmaxResult<T> {
  const kept = Math.min(k, scores.shape[scores.shape.length - 1]!);
  if (hasKernel("AceTopKSoftmax") && kept <= MOST) {
    return tidy(() => {
      // tfjs puts both outputs on the tape; the places must not lead back to the scores.
      const inputs = allowed ? { scores, allowed: detach(allowed) } : { scores };
      const [weights, indices] = runKernel("AceTopKSoftmax", inputs, { k: kept });
      return { weights, indices: detach(indices) };
    });
  }
  return tidy(() => {
    if (!allowed) {
      const { mask, indices } = topKMask(scores, k);
      return { weights: maskedSoftmax(scores, mask), indices };
    }
    const masked = add(mul(scores, allowed), tf.mul(tf.sub(allowed, 1), 1e9));
    const { mask, indices } = topKMask(masked, k);
    return { weights: maskedSoftmax(scores, tf.mul(mask, allowed)), indices };
  });
}
