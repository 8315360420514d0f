/** Dynamic graph attention (GATv2) in place of the encoder's attention as the weights of the CLS hyperedge. @module */
import * as tf from "@tensorflow/tfjs";
import { checkValue, TEXT } from "../platform/options.ts";
import { checkShape } from "../tensor/shape.ts";
import { add, mul, reshape, sumOver } from "../tensor/typed.ts";
import type { Tensor1D, Tensor2D, Tensor3D } from "../tensor/types.ts";
import type { AceHgnnParams } from "./ace_hgnn.ts";
import { attentionVector, dropUnreached } from "./candidates.ts";

/** Weights of a hypergraph module with GATv2 affinities. */
export interface Gatv2HgnnParams extends AceHgnnParams {
  /** The attention vector; all that comes on top of ACE-HGNN's weights. */
  gatv2: {
    /** a, `[hidden]`. */
    attention: Tensor1D;
  };
}

/**
 * GATv2's score of each token for the CLS hyperedge: `e_j = a · leakyRelu(W x_0 + W x_j, 0.2)`, before any softmax.
 *
 * W is the edge bottleneck's down-projection, the same for both nodes (PyG's `share_weights`), so that `a` is the only extra
 * weight. Unlike GAT's, the ranking of the tokens depends on x_0.
 *
 * Source: Brody et al. 2022, arXiv 2105.14491, Eq. (7), one head.
 *
 * @param params Weights.
 * @param tokens X, CLS first; shape `[B, N + 1, E]`.
 * @param affinity The encoder's CLS attention `[B, N]`; only its zeros are read: pads are no candidates.
 * @returns Shape `[B, N]`. The caller disposes it.
 */
export function gatv2Scores(params: Gatv2HgnnParams, tokens: Tensor3D, affinity: Tensor2D): Tensor2D {
  const [batch, size, width] = tokens.shape;
  checkShape(affinity, [batch, size - 1], "the affinity");
  const weight = params.edge.down.weight; // [hidden, E]
  const hidden = weight.shape[0];
  return tf.tidy(() => {
    const rows = reshape(tokens, [batch * size, width]);
    const projected = reshape(tf.matMul(rows, tf.transpose(weight)), [batch, size, hidden]); // [B, N + 1, hidden]
    const cls = tf.slice(projected, [0, 0, 0], [batch, 1, hidden]);
    const others = tf.slice(projected, [0, 1, 0], [batch, size - 1, hidden]);
    const mixed = tf.leakyRelu(add(cls, others), 0.2); // [B, N, hidden]
    return dropUnreached(sumOver(mul(mixed, params.gatv2.attention), 2), affinity);
  });
}

/** A fresh attention vector, Glorot uniform as PyG's `GATv2Conv`. */
export function initGatv2(hidden: number, seed: number, name: string): Gatv2HgnnParams["gatv2"] {
  checkValue("build an affinity", "name", name, TEXT);
  return { attention: attentionVector(hidden, seed, `${name} attention`) };
}
