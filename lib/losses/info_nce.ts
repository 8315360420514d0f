/** Symmetric contrastive losses. @module */
import * as tf from "@tensorflow/tfjs";
import { checkOptions, checkRecord, needed, type Rules } from "../platform/options.ts";
import { TENSOR, tensorOfRank } from "../tensor/shape.ts";
import { customGrad } from "../tensor/gradients.ts";
import { canFuseInfoNce, fusedInfoNce } from "../tensor/kernels/info_nce/api.ts";
import { add, matMul, meanOver, mul, sub, sumOver } from "../tensor/typed.ts";
import type { Scalar, Tensor, Tensor1D, Tensor2D } from "../tensor/types.ts";

/** Options of {@linkcode infoNce}. */
export interface InfoNceOptions {
  /** 1 where a pair takes part, 0 where it is removed from both denominators; shape `[B, B]`. The diagonal always stays. @default {all} */
  pairMask?: Tensor2D;
}

/** What they must be. */
export const INFO_NCE_RULES: Rules<InfoNceOptions> = { pairMask: tensorOfRank(2) };
/** What it is computed from. */
const INPUT_RULES = {
  imageFeatures: needed(tensorOfRank(2)),
  textFeatures: needed(tensorOfRank(2)),
  logitScale: needed(TENSOR),
};

/**
 * `loss = (CE(S) + CE(Sᵀ)) / 2` with `S = s V Tᵀ` and the targets on the diagonal. With a mask of false negatives it is
 * the label-guided InfoNCE: masked pairs leave both denominators and never become positives.
 *
 * Source: ACE-LoRA, method section 4.
 *
 * @param imageFeatures Unit rows V, shape `[B, E]`.
 * @param textFeatures Unit rows T, shape `[B, E]`.
 * @param logitScale s, already exponentiated.
 * @returns Scalar, nats. The caller disposes it.
 * @throws {TypeError} If the shapes differ, or an option is unknown.
 *
 * @example Features that agree
 * ```ts
 * import { infoNce, selectBackend } from "@ace-lora/ace-lora";
 * import { assertAlmostEquals } from "@std/assert";
 * import * as tf from "@tensorflow/tfjs";
 *
 * await selectBackend({ backend: "cpu" });
 * const features = tf.tensor2d([[1, 0], [0, 1]]);
 * const loss = infoNce(features, features, tf.scalar(10));
 * assertAlmostEquals((await loss.data())[0]!, Math.log(1 + Math.exp(-10)), 1e-6);
 * ```
 */
export function infoNce(
  imageFeatures: Tensor2D,
  textFeatures: Tensor2D,
  logitScale: Scalar,
  options: InfoNceOptions = {},
): Scalar {
  checkOptions("compute InfoNCE", options, INFO_NCE_RULES);
  checkRecord("compute InfoNCE", "its input", { imageFeatures, textFeatures, logitScale }, INPUT_RULES);
  if (imageFeatures.shape.join() !== textFeatures.shape.join()) {
    throw new TypeError(
      `Cannot compute InfoNCE as both features must have one shape: current shapes are [${imageFeatures.shape}] and [${textFeatures.shape}]`,
    );
  }
  return tf.tidy(() => {
    const products = matMul(imageFeatures, textFeatures, false, true); // [B, B]
    if (canFuseInfoNce()) return fusedInfoNce(products, logitScale, options.pairMask);
    let logits = mul(products, logitScale);
    const positives = mul(sumOver(mul(imageFeatures, textFeatures), 1), logitScale); // [B]
    if (options.pairMask) logits = add(logits, tf.mul(tf.sub(options.pairMask, 1), 1e9));
    const denominators = add(logSumExp(logits, 1), logSumExp(logits, 0));
    return meanOver(sub(mul(denominators, 0.5), positives), 0);
  });
}

/** `log Σ exp` along an axis, without overflow; a gradient of its own keeps the tape short. */
function logSumExp(x: Tensor2D, axis: 0 | 1): Tensor1D {
  return customGrad([x], (x) => {
    const max = tf.max(x, axis, true);
    const sum = tf.add(tf.log(tf.sum(tf.exp(tf.sub(x, max)), axis, true)), max);
    return {
      value: tf.squeeze<Tensor1D>(sum, [axis]),
      saved: [x, sum],
      gradFunc: (dy, [x, sum]: [Tensor2D, Tensor]) => [tf.mul(tf.exp(tf.sub(x, sum)), tf.expandDims(dy, axis))],
    };
  });
}
