/** Rows of unit length: one kernel where the backend has it, else in steps. @module */
import * as tf from "@tensorflow/tfjs";
import type { Tensor } from "../../types.ts";
import { hasKernel, runKernel } from "../run.ts";
import "./gradient.ts";

/**
 * Rows of unit length along the last axis: `x / max(|x|, 1e-12)`, as torch's `F.normalize`.
 *
 * @param x Any shape `[..., D]`.
 * @returns The same shape. The caller disposes it.
 */
export function l2Normalise<T extends Tensor>(x: T): T {
  return tf.tidy(() => {
    if (hasKernel("AceL2Normalise") && x.dtype === "float32") return runKernel("AceL2Normalise", { x }, {});
    const square = tf.sum(tf.mul(x, x), -1, true);
    return tf.div(x, tf.sqrt(tf.maximum(square, 1e-24)));
  });
}
