/** The affinity between nodes and hyperedges. @module */
import { checkValue, COUNT } from "../platform/options.ts";
import * as tf from "@tensorflow/tfjs";
import { topKSoftmax } from "../tensor/kernels/top_k_softmax/api.ts";
import { l2Normalise } from "../tensor/kernels/l2_normalise/api.ts";
import { checkShape, TENSOR } from "../tensor/shape.ts";
import { ones } from "../tensor/init.ts";
import { add, complement, expandDims, matMul } from "../tensor/typed.ts";
import type { Tensor2D, Tensor3D } from "../tensor/types.ts";

/** Refuses what are no tokens, and no number of members. */
export function checkNodes(tokens: Tensor3D, topK: number): void {
  checkShape(tokens, [null, null, null], "the tokens");
  checkValue("build hyperedges", "topK", topK, COUNT);
}

/**
 * The whole incidence matrix A of ACE-HGNN, one hyperedge per token.
 *
 * Row 0 ranks the other tokens by the CLS query's attention, row `i` by cosine similarity (never itself, never CLS); each
 * keeps its k largest, softmaxed; then `A[i, i] = 1` and `A[i, 0] = A[0, i]`.
 *
 * Source: ACE-LoRA, method section 3, steps 1 to 3; no difference from the released code.
 *
 * @param tokens X, CLS first; shape `[B, N + 1, E]`.
 * @param affinity Shape `[B, N]`.
 * @param topK k; fewer when there are fewer candidates.
 * @returns `incidence` `[B, N + 1, N + 1]` (row = hyperedge, column = member). The caller disposes it.
 * @throws {TypeError} If the shapes do not belong together.
 */
export function denseIncidence(tokens: Tensor3D, affinity: Tensor2D, topK: number): Tensor3D {
  checkNodes(tokens, topK);
  const [batch, size] = tokens.shape;
  const nodes = size - 1;
  checkShape(affinity, [batch, nodes], "the affinity");
  return tf.tidy(() => {
    const clsRow = keepTopK(affinity, ones([1, nodes]), topK); // [B, N]
    const local = tf.slice(tokens, [0, 1, 0], [batch, nodes, -1]);
    const others = complement(tf.eye(nodes)); // a token is no neighbour of itself
    const unit = l2Normalise(local);
    const localRows = keepTopK(
      matMul(unit, unit, false, true),
      expandDims(others, 0),
      topK,
    ); // [B, N, N]
    const clsPart = expandDims(clsRow, 1); // [B, 1, N]
    const rest = add(localRows, tf.expandDims(tf.eye(nodes), 0));
    const top = tf.concat([ones([batch, 1, 1]), clsPart], 2);
    const bottom = tf.concat([tf.transpose(clsPart, [0, 2, 1]), rest], 2);
    return tf.concat([top, bottom], 1);
  });
}

/** Softmax over the k largest of the allowed entries of each row, 0 elsewhere. */
export function keepTopK<T extends Tensor2D | Tensor3D>(scores: T, allowed: Tensor2D | Tensor3D, topK: number): T {
  for (const [name, value] of Object.entries({ scores, allowed })) checkValue("choose members", name, value, TENSOR);
  checkValue("choose members", "topK", topK, COUNT);
  return tf.tidy(() => topKSoftmax(scores, topK, allowed).weights);
}
