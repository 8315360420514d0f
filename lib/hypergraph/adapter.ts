/** The bottleneck that hyperedge and node features go through. @module */
import { checkValue, COUNT, INTEGER, TEXT } from "../platform/options.ts";
import * as tf from "@tensorflow/tfjs";
import { linear, type LinearParams } from "../nn/linear.ts";
import { joined } from "../nn/mlp.ts";
import { kaimingNormal, uniform } from "../tensor/init.ts";
import { fusedMessages } from "../tensor/kernels/messages/api.ts";
import { checkWeights, ofRank, ranked, TENSOR } from "../tensor/shape.ts";
import { reshape } from "../tensor/typed.ts";
import type { Tensor, Tensor2D, Tensor3D } from "../tensor/types.ts";

/** Weights of a bottleneck `E -> hidden -> E`. */
export interface AdapterParams {
  /** `[hidden, E]` and bias. */
  down: LinearParams;
  /** `[E, hidden]` and bias. */
  up: LinearParams;
}

/**
 * `φ(x) = up(leakyRelu(down(x), 0.2))`. No residual, though the released class is called ResidualAdapter.
 *
 * @param params Weights.
 * @param x Shape `[..., E]`.
 * @returns Same shape. The caller disposes it.
 */
export function adapter<T extends Tensor>(params: AdapterParams, x: T): T {
  checkWeights("a bottleneck", params, ["down.weight", "down.bias?", "up.weight", "up.bias?"]);
  checkValue("apply a bottleneck", "x", x, TENSOR);
  const few = x.rank === 2 ? fusedMessages(ofRank(x, 2, "x"), [params.down, params.up]) : undefined;
  if (few) return ranked(few, x);
  const together = joined([params.down, params.up], x, { activation: "leaky-relu", trained: true });
  return together ?? tf.tidy(() => linear(params.up, tf.leakyRelu(linear(params.down, x), 0.2)));
}

/**
 * `Σ_i w_i φ(x_i)` of each sample.
 *
 * @param params Weights.
 * @param x Shape `[B, K, E]`.
 * @param incoming w, shape `[B, K, 1]`.
 * @returns Shape `[B, E]`. The caller disposes it.
 */
export function messages(params: AdapterParams, x: Tensor3D, incoming: Tensor3D): Tensor2D {
  const [batch, , width] = x.shape;
  return fusedMessages(x, [params.down, params.up], incoming) ??
    tf.tidy(() => reshape(tf.matMul(incoming, adapter(params, x), true, false), [batch, width]));
}

/** Kaiming normal weights; biases uniform in `±1/√fanIn`, as `nn.Linear` starts them and the released code leaves them. */
export function initAdapter(embedding: number, hidden: number, seed: number, name: string): AdapterParams {
  for (const [what, value] of Object.entries({ embedding, hidden })) {
    checkValue("build a bottleneck", what, value, COUNT);
  }
  checkValue("build a bottleneck", "seed", seed, INTEGER);
  checkValue("build a bottleneck", "name", name, TEXT);
  const layer = (outSize: number, inSize: number, part: string): LinearParams => ({
    weight: kaimingNormal([outSize, inSize], seed, `${name} ${part}`),
    bias: uniform([outSize], 1 / Math.sqrt(inSize), seed, `${name} ${part} bias`),
  });
  return { down: layer(hidden, embedding, "down"), up: layer(embedding, hidden, "up") };
}
