/** Hyperedges by affinity and cosine as one kernel, where the backend has it; lib/hypergraph has the same in steps. @module */
import { tidy } from "../../ops.ts";
import type { Tensor2D, Tensor3D } from "../../types.ts";
import { hasKernel, runKernel } from "../run.ts";
import "./gradient.ts";

/** Largest k and number of tokens that the kernel takes. */
const [MOST, MOST_NODES] = [16, 2048];

/** What {@linkcode fusedHyperedges} returns. */
export interface Hyperedges {
  /** `H_0 = x_0 + Σ w_j x_j` and `H_i = w_i x_0 + x_i + Σ s_ij x_j`, `[B, k + 1, E]`. */
  edges: Tensor3D;
  /** 1 and w, `[B, k + 1, 1]`. */
  incoming: Tensor3D;
}

/**
 * The features of the hyperedges that reach the first token, and how much of each it receives. The choices carry no gradient.
 *
 * @param tokens x, shape `[B, N + 1, E]`.
 * @param affinity Shape `[B, N]`.
 * @returns The caller disposes both; undefined where the backend has no kernel for these sizes.
 */
export function fusedHyperedges(tokens: Tensor3D, affinity: Tensor2D, topK: number): Hyperedges | undefined {
  const nodes = tokens.shape[1] - 1;
  const k = Math.min(topK, nodes);
  if (!hasKernel("AceHyperedges") || k < 1 || k > MOST || nodes > MOST_NODES || tokens.size === 0) return undefined;
  return tidy(() => {
    const [edges, incoming] = runKernel("AceHyperedges", { tokens, affinity }, { k });
    return { edges, incoming };
  });
}
