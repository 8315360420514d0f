/** ACE-HGNN: message passing along attention affinities between the global and the local tokens. @module */
import * as tf from "@tensorflow/tfjs";
import { fusedHyperedges, type Hyperedges } from "../tensor/kernels/hyperedges/api.ts";
import { topKSoftmax } from "../tensor/kernels/top_k_softmax/api.ts";
import { l2Normalise } from "../tensor/kernels/l2_normalise/api.ts";
import { ones } from "../tensor/init.ts";
import { oneHotRows, tidy } from "../tensor/ops.ts";
import { checkShape, checkWeights, ofRank } from "../tensor/shape.ts";
import { checkValue, COUNT, INTEGER, listOf, needed, oneOf, type Rules, TEXT } from "../platform/options.ts";
import { add, complement, expandDims, matMul } from "../tensor/typed.ts";
import type { Tensor2D, Tensor3D } from "../tensor/types.ts";
import { adapter, type AdapterParams, initAdapter, messages } from "./adapter.ts";
import { checkNodes, denseIncidence, keepTopK } from "./incidence.ts";

/** Weights of one ACE-HGNN. */
export interface AceHgnnParams {
  /** φ of hyperedge features. */
  edge: AdapterParams;
  /** φ of node features. */
  node: AdapterParams;
}

/** What weighs the CLS hyperedge: the encoder's attention, or scores of GAT, GATv2, or cosine similarity in its place. */
export type HgnnAffinity = "attention" | "gat" | "gatv2" | "similarity";

/** An ACE-HGNN configuration. */
export interface AceHgnnConfig {
  /** Members kept per hyperedge, k. */
  topK: number;
  /** Hidden width of both bottlenecks. */
  hidden: number;
  /** Encoders whose tokens go through one. */
  encoders: readonly ("image" | "text")[];
  /** What weighs the CLS hyperedge. @default {"attention", the paper's} */
  affinity?: HgnnAffinity;
}

/** What its fields must be. */
export const HGNN_RULES: Rules<AceHgnnConfig> = {
  topK: needed(COUNT),
  hidden: needed(COUNT),
  encoders: needed(listOf(["image", "text"])),
  affinity: oneOf(["attention", "gat", "gatv2", "similarity"]),
};

/** The leaves of both bottlenecks. */
const WEIGHTS = ["edge", "node"].flatMap((part) =>
  ["down.weight", "down.bias?", "up.weight", "up.bias?"].map((leaf) => `${part}.${leaf}`)
);

/** The paper's settings: k = 5, hidden 128, both encoders. */
export const ACE_LORA_HGNN: AceHgnnConfig = { topK: 5, hidden: 128, encoders: ["image", "text"] };

/**
 * Fresh weights: Kaiming normal, biases uniform in `±1/√fanIn`.
 *
 * @example At BiomedCLIP's size
 * ```ts
 * import { ACE_LORA_HGNN, countParams, initAceHgnn, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "cpu" });
 * assertEquals(countParams(initAceHgnn(512, ACE_LORA_HGNN.hidden, 1)), 263_424);
 * ```
 */
export function initAceHgnn(embedding: number, hidden: number, seed: number, name = "ace-hgnn"): AceHgnnParams {
  for (const [what, value] of Object.entries({ embedding, hidden })) checkValue("build ACE-HGNN", what, value, COUNT);
  checkValue("build ACE-HGNN", "seed", seed, INTEGER);
  checkValue("build ACE-HGNN", "name", name, TEXT);
  return {
    edge: initAdapter(embedding, hidden, seed, `${name} edge`),
    node: initAdapter(embedding, hidden, seed, `${name} node`),
  };
}

/**
 * The CLS node after one round of message passing, in the sparse form: only the k + 1 hyperedges that reach the CLS node.
 *
 * With `w` the softmax over the top-k of the affinity and J its tokens: `H_0 = x_0 + Σ_j w_j x_j`,
 * `H_i = w_i x_0 + x_i + Σ_n softmax_n(cos(x_i, x_n)) x_n` over i's k nearest, `Y_0 = φ_node(φ_edge(H_0) + Σ_i w_i φ_edge(H_i))`.
 * Exactly the dense form's row 0: column 0 of the incidence is zero elsewhere.
 *
 * Source: ACE-LoRA, method section 3; the released code computes all N + 1 rows.
 *
 * @param params Weights.
 * @param tokens X, CLS first; shape `[B, N + 1, E]`.
 * @param affinity CLS attention, shape `[B, N]`.
 * @param topK k; fewer when there are fewer candidates.
 * @returns Y_0, not normalised; shape `[B, E]`. The caller disposes it.
 * @throws {TypeError} If the shapes do not belong together.
 *
 * @example CLS features of two images with nine patches
 * ```ts
 * import { aceHgnn, initAceHgnn, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 * import * as tf from "@tensorflow/tfjs";
 *
 * await selectBackend({ backend: "cpu" });
 * const hgnn = initAceHgnn(8, 4, 1);
 * const tokens: tf.Tensor3D = tf.randomNormal([2, 10, 8]); // CLS first
 * const affinity: tf.Tensor2D = tf.randomNormal([2, 9]);
 * assertEquals(aceHgnn(hgnn, tokens, affinity, 5).shape, [2, 8]);
 * ```
 */
export function aceHgnn(params: AceHgnnParams, tokens: Tensor3D, affinity: Tensor2D, topK: number): Tensor2D {
  checkWeights("ACE-HGNN", params, WEIGHTS);
  checkNodes(tokens, topK);
  const [batch, size] = tokens.shape;
  checkShape(affinity, [batch, size - 1], "the affinity");
  return tf.tidy(() => {
    const { edges, incoming } = fusedHyperedges(tokens, affinity, topK) ?? hyperedges(tokens, affinity, topK);
    return adapter(params.node, messages(params.edge, edges, incoming));
  });
}

/** The k + 1 hyperedges H that reach the CLS node, and how much of each it receives: column 0 of the incidence. */
function hyperedges(tokens: Tensor3D, affinity: Tensor2D, topK: number): Hyperedges {
  const { row, weights, members, local } = clsHyperedge(tokens, affinity, topK);
  const chosen = matMul(members, local); // [B, k, E]
  // Tokens averaged over prompts are not unit rows, and a cosine needs them.
  const cosines = matMul(l2Normalise(chosen), l2Normalise(local), false, true);
  const near = keepTopK(cosines, complement(members), topK); // [B, k, N]
  // The k + 1 rows of A that matter, one column for each token, CLS first.
  const rows = tf.concat([expandDims(row, 1), add(members, near)], 1); // [B, k + 1, N]
  const incoming = tf.concat([ones([tokens.shape[0], 1, 1]), weights], 1); // A[., 0] [B, k + 1, 1]
  return { edges: matMul(tf.concat([incoming, rows], 2), tokens), incoming };
}

interface ClsHyperedge {
  /** Softmax over the members, 0 elsewhere, `[B, N]`. */
  row: Tensor2D;
  /** The members' weights, `[B, k, 1]`. */
  weights: Tensor3D;
  /** One-hot rows, `[B, k, N]`. */
  members: Tensor3D;
  /** Tokens 1 to N, `[B, N, E]`. */
  local: Tensor3D;
}

function clsHyperedge(tokens: Tensor3D, affinity: Tensor2D, topK: number): ClsHyperedge {
  const [batch, size, width] = tokens.shape;
  const { weights: row, indices } = topKSoftmax(affinity, topK);
  const members = ofRank(oneHotRows(indices, size - 1), 3, "members");
  // A one-hot product instead of a gather: its gradient exists on every backend.
  const chosen = matMul(members, tf.expandDims(row, 2));
  return { row, weights: chosen, members, local: tf.slice(tokens, [0, 1, 0], [batch, size - 1, width]) };
}

/** What {@linkcode aceHgnnDense} returns. */
export interface DenseResult {
  /** Y of all nodes, not normalised; shape `[B, N + 1, E]`. */
  nodes: Tensor3D;
  /** A, shape `[B, N + 1, N + 1]`. */
  incidence: Tensor3D;
}

/**
 * All nodes after one round of message passing over all N + 1 hyperedges: `H = A X; Y = φ_node(Aᵀ φ_edge(H))`. The
 * reference of {@linkcode aceHgnn}, and what the released code computes.
 *
 * @param params Weights.
 * @param tokens X, CLS first; shape `[B, N + 1, E]`.
 * @param affinity CLS attention, shape `[B, N]`.
 * @param topK k.
 * @returns Nodes and incidence. The caller disposes both.
 */
export function aceHgnnDense(params: AceHgnnParams, tokens: Tensor3D, affinity: Tensor2D, topK: number): DenseResult {
  checkWeights("ACE-HGNN", params, WEIGHTS);
  return tidy(() => {
    const incidence = denseIncidence(tokens, affinity, topK);
    const edges = adapter(params.edge, matMul(incidence, tokens));
    const nodes = adapter(params.node, matMul(incidence, edges, true, false));
    return { nodes, incidence };
  });
}

/** A hyperedge that reaches the CLS node, for showing. Token indices count from 0 among the N local tokens. */
export interface Hyperedge {
  /** The token that owns the hyperedge; null for the CLS token's. */
  source: number | null;
  /** Its members, strongest first. */
  members: number[];
  /** Their weights; they sum to 1. */
  weights: number[];
}

/**
 * The k + 1 hyperedges that reach the CLS node of each sample, the CLS hyperedge first.
 *
 * @param tokens X, CLS first; shape `[B, N + 1, E]`.
 * @param affinity Shape `[B, N]`.
 * @param topK k.
 */
export async function chosenHyperedges(tokens: Tensor3D, affinity: Tensor2D, topK: number): Promise<Hyperedge[][]> {
  checkNodes(tokens, topK);
  const [batch, size] = tokens.shape;
  const incidence = tf.tidy(() => denseIncidence(tokens, affinity, topK));
  const rows = await incidence.data<"float32">();
  incidence.dispose();
  const edgeOf = (sample: number, node: number): Hyperedge => {
    const start = (sample * size + node) * size;
    const members: [number, number][] = [];
    for (let j = 1; j < size; j++) {
      const weight = rows[start + j]!;
      if (weight > 0 && j !== node) members.push([j - 1, weight]);
    }
    members.sort((a, b) => b[1] - a[1]);
    return {
      source: node === 0 ? null : node - 1,
      members: members.map(([j]) => j),
      weights: members.map(([, weight]) => weight),
    };
  };
  return Array.from({ length: batch }, (_, sample) => {
    const cls = edgeOf(sample, 0);
    return [cls, ...cls.members.map((member) => edgeOf(sample, member + 1))];
  });
}
