/** Bottleneck adapters in transformer blocks. @module */
import * as tf from "@tensorflow/tfjs";
import type { Tensor } from "../tensor/types.ts";
import { linear, type LinearParams } from "./linear.ts";

/** Weights of a bottleneck `D -> hidden -> D`. */
export interface BottleneckParams {
  /** `[hidden, D]` and bias. */
  down: LinearParams;
  /** `[D, hidden]` and bias. */
  up: LinearParams;
}

/**
 * `x + up(relu(down(x)))`: nothing changes while `up` is zero.
 *
 * Source: Houlsby et al. 2019 (arXiv 1902.00751), with the ReLU of Pfeiffer et al. 2020 (arXiv 2005.00247).
 *
 * @param params Weights.
 * @param x Shape `[..., D]`.
 * @returns Same shape. The caller disposes it.
 */
export function bottleneck<T extends Tensor>(params: BottleneckParams, x: T): T {
  return tf.tidy(() => tf.add(x, linear(params.up, tf.relu(linear(params.down, x)))));
}
