/** Pairs of neighbouring numbers turned: one kernel where the backend has it, else in steps. @module */
import * as tf from "@tensorflow/tfjs";
import { reshape } from "../../typed.ts";
import type { Tensor2D, Tensor3D } from "../../types.ts";
import { checkFloat, hasKernel, runKernel } from "../run.ts";
import "./gradient.ts";

/**
 * `(x₀, x₁) → (x₀ cos + x₁ sin₀, x₁ cos + x₀ sin₁)` for each pair, where `sin₀ = -sin₁`.
 *
 * @param x Shape `[B, N, D]`, D even.
 * @param cos Shape `[N, D]`; it has no gradient.
 * @param sin Likewise, that of the first of each pair negated.
 * @returns Shape of `x`. The caller disposes it.
 */
export function rotatePairs(x: Tensor3D, cos: Tensor2D, sin: Tensor2D): Tensor3D {
  checkFloat("turn", { x, cos, sin });
  if (hasKernel("AceRotate")) return runKernel("AceRotate", { x, cos, sin }, { back: false });
  return tf.tidy(() => {
    const swapped = reshape(tf.reverse(reshape(x, [x.size / 2, 2]), 1), x.shape);
    return tf.add(tf.mul(x, cos), tf.mul(swapped, sin));
  });
}
