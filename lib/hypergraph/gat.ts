/** Graph attention (GAT) in place of the encoder's attention as the weights of the CLS hyperedge. @module */
import * as tf from "@tensorflow/tfjs";
import { checkValue, TEXT } from "../platform/options.ts";
import { checkShape } from "../tensor/shape.ts";
import { add, expandDims, matMul, reshape } from "../tensor/typed.ts";
import type { Tensor1D, Tensor2D, Tensor3D } from "../tensor/types.ts";
import type { AceHgnnParams } from "./ace_hgnn.ts";
import { attentionVector, dropUnreached } from "./candidates.ts";

/** Weights of a hypergraph module with GAT affinities. */
export interface GatHgnnParams extends AceHgnnParams {
  /** The attention vector's halves; all that comes on top of ACE-HGNN's weights. */
  gat: {
    /** Half for the CLS node, `[hidden]`. */
    source: Tensor1D;
    /** Half for its candidates, `[hidden]`. */
    target: Tensor1D;
  };
}

/**
 * GAT's score of each token for the CLS hyperedge: `e_j = leakyRelu(aₛ · W x_0 + aₜ · W x_j, 0.2)`, before any softmax.
 *
 * W is the edge bottleneck's down-projection, as GAT scores with the projection it sends messages through; so the two halves of
 * `a` are the only extra weights. Since the score is monotone in `aₜ · W x_j`, it ranks the tokens alike for every x_0.
 *
 * Source: Veličković et al. 2018, arXiv 1710.10903, Eq. (1) to (3), one head.
 *
 * @param params Weights.
 * @param tokens X, CLS first; shape `[B, N + 1, E]`.
 * @param affinity The encoder's CLS attention `[B, N]`; only its zeros are read: pads are no candidates.
 * @returns Shape `[B, N]`. The caller disposes it.
 */
export function gatScores(params: GatHgnnParams, tokens: Tensor3D, affinity: Tensor2D): Tensor2D {
  const [batch, size, width] = tokens.shape;
  checkShape(affinity, [batch, size - 1], "the affinity");
  const weight = params.edge.down.weight; // [hidden, E]
  return tf.tidy(() => {
    const rows = reshape(tokens, [batch * size, width]);
    const project = (half: Tensor1D): Tensor2D => {
      const direction = matMul(expandDims(half, 0), weight); // aᵀ W, [1, E]
      return reshape(matMul(rows, tf.transpose(direction)), [batch, size]);
    };
    const cls = tf.slice(project(params.gat.source), [0, 0], [batch, 1]);
    const others = tf.slice(project(params.gat.target), [0, 1], [batch, size - 1]);
    return dropUnreached(tf.leakyRelu(add(cls, others), 0.2), affinity);
  });
}

/** Fresh attention vectors, Glorot uniform as PyG's `GATConv`. */
export function initGat(hidden: number, seed: number, name: string): GatHgnnParams["gat"] {
  checkValue("build an affinity", "name", name, TEXT);
  return {
    source: attentionVector(hidden, seed, `${name} source`),
    target: attentionVector(hidden, seed, `${name} target`),
  };
}
