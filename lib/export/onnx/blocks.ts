/** The library's blocks as ONNX operators: what lib/nn and lib/hypergraph compute in evaluation mode. @module */
import type { AceHgnnParams } from "../../hypergraph/ace_hgnn.ts";
import type { AdapterParams } from "../../hypergraph/adapter.ts";
import type { AttentionParams } from "../../nn/attention.ts";
import type { AttentionPoolParams } from "../../nn/attention_pool.ts";
import type { LayerNormParams } from "../../nn/layer_norm.ts";
import type { LinearParams } from "../../nn/linear.ts";
import type { Activation, MlpParams } from "../../nn/mlp.ts";
import type { BlockParams } from "../../nn/transformer.ts";
import type { Tensor } from "../../tensor/types.ts";
import { float, type OnnxGraph, type Value } from "./graph.ts";

/** Numbers of a tensor, read before the graph is built. */
export type Numbers = (tensor: Tensor) => Float32Array;

/** A graph, and the numbers of the weights that go into it. */
export interface Emitter {
  /** The graph. */
  graph: OnnxGraph;
  /** The weights' numbers. */
  numbers: Numbers;
}

/** Stands for minus infinity among logits. */
const MASKED = -1e9;

/** A weight as it is. */
export function weight({ graph, numbers }: Emitter, tensor: Tensor): Value {
  return graph.constant(numbers(tensor), tensor.shape);
}

function scalar({ graph }: Emitter, value: number): Value {
  return graph.constant([value], []);
}

function integers({ graph }: Emitter, ...values: number[]): Value {
  return graph.constant(values, [values.length], "int64");
}

/** Reshapes; 0 keeps a dimension, -1 is what is left. */
export function reshape(emitter: Emitter, x: Value, ...shape: number[]): Value {
  return emitter.graph.op("Reshape", [x, integers(emitter, ...shape)]);
}

/** `x[:, from:to]`; to the end without `to`. */
export function sliceTokens(emitter: Emitter, x: Value, from: number, to = 2 ** 31): Value {
  return emitter.graph.op("Slice", [x, integers(emitter, from), integers(emitter, to), integers(emitter, 1)]);
}

/** `x Wᵀ + b`. */
export function linear(emitter: Emitter, { weight: w, bias }: LinearParams, x: Value): Value {
  const { graph, numbers } = emitter;
  const [outs, ins] = w.shape;
  const values = numbers(w);
  const transposed = new Float32Array(values.length);
  for (let o = 0; o < outs; o++) for (let i = 0; i < ins; i++) transposed[i * outs + o] = values[o * ins + i]!;
  const product = graph.op("MatMul", [x, graph.constant(transposed, [ins, outs])]);
  return bias ? graph.op("Add", [product, weight(emitter, bias)]) : product;
}

/** LayerNorm over the last axis. */
export function layerNorm(emitter: Emitter, params: LayerNormParams, x: Value, epsilon: number): Value {
  const operands = [x, weight(emitter, params.weight), weight(emitter, params.bias)];
  return emitter.graph.op("LayerNormalization", operands, { axis: -1, epsilon: float(epsilon) });
}

/** Unit rows. */
export function l2Normalise(emitter: Emitter, x: Value): Value {
  const { graph } = emitter;
  const squares = graph.op("ReduceSumSquare", [x], { axes: [-1], keepdims: 1 });
  const length = graph.op("Sqrt", [graph.op("Max", [squares, scalar(emitter, 1e-24)])]);
  return graph.op("Div", [x, length]);
}

function activation(emitter: Emitter, kind: Activation, x: Value): Value {
  const { graph } = emitter;
  if (kind === "quick-gelu") {
    return graph.op("Mul", [x, graph.op("Sigmoid", [graph.op("Mul", [x, scalar(emitter, 1.702)])])]);
  }
  if (kind === "gelu-tanh") {
    const cube = graph.op("Mul", [graph.op("Mul", [x, graph.op("Mul", [x, x])]), scalar(emitter, 0.044715)]);
    const inner = graph.op("Mul", [graph.op("Add", [x, cube]), scalar(emitter, Math.sqrt(2 / Math.PI))]);
    const half = graph.op("Mul", [x, scalar(emitter, 0.5)]);
    return graph.op("Mul", [half, graph.op("Add", [graph.op("Tanh", [inner]), scalar(emitter, 1)])]);
  }
  const erf = graph.op("Erf", [graph.op("Mul", [x, scalar(emitter, Math.SQRT1_2)])]);
  const half = graph.op("Mul", [x, scalar(emitter, 0.5)]);
  return graph.op("Mul", [half, graph.op("Add", [erf, scalar(emitter, 1)])]);
}

/** Two linear layers with an activation between. */
export function mlp(emitter: Emitter, { fc1, fc2 }: MlpParams, x: Value, kind: Activation = "gelu"): Value {
  return linear(emitter, fc2, activation(emitter, kind, linear(emitter, fc1, x)));
}

/** How a stack of blocks computes. */
export interface BlocksOptions {
  /** Heads of each attention. */
  heads: number;
  /** Of the LayerNorms. */
  epsilon: number;
  /** Of the feed-forward parts. */
  activation: Activation;
  /** `pre`: `x + f(norm(x))`; `post`: `norm(x + f(x))`. */
  order: "pre" | "post";
  /** Added to the scores, `[B, 1, 1, N]` or `[N, N]`. @default {nothing} */
  mask?: Value;
  /** Which attention of one token's query the last block returns. @default {none} */
  affinity?: "logits" | "probabilities";
  /** 1 at that token, `[B, 1, N]`; its masked logits are returned, of every token. @default {token 0, without itself} */
  read?: Value;
}

/** What a stack of blocks returns. */
export interface BlocksResult {
  /** `[B, N, D]`. */
  tokens: Value;
  /** `[B, N - 1]`, or `[B, N]` of the `read` one. */
  affinity?: Value;
}

function attention(emitter: Emitter, params: AttentionParams, x: Value, options: BlocksOptions): BlocksResult {
  const { graph } = emitter;
  const { heads, mask } = options;
  const width = params.query.weight.shape[0];
  const split = (layer: LinearParams, perm: number[]): Value =>
    graph.op("Transpose", [reshape(emitter, linear(emitter, layer, x), 0, -1, heads, width / heads)], { perm });
  const [query, key] = [split(params.query, [0, 2, 1, 3]), split(params.key, [0, 2, 3, 1])];
  const value = split(params.value, [0, 2, 1, 3]);
  const products = graph.op("Mul", [graph.op("MatMul", [query, key]), scalar(emitter, Math.sqrt(heads / width))]);
  const scores = mask ? graph.op("Add", [products, mask]) : products; // [B, H, N, N]
  const shares = graph.op("Softmax", [scores], { axis: -1 });
  const context = graph.op("Transpose", [graph.op("MatMul", [shares, value])], { perm: [0, 2, 1, 3] });
  const tokens = linear(emitter, params.output, reshape(emitter, context, 0, -1, width));
  if (!options.affinity) return { tokens };
  const logits = options.read ? scores : products;
  const attended = options.affinity === "logits" ? logits : shares;
  const mean = graph.op("ReduceMean", [attended], { axes: [1], keepdims: 0 }); // [B, N, N]
  if (options.read) {
    const row = graph.op("Squeeze", [graph.op("MatMul", [options.read, mean]), integers(emitter, 1)]);
    return { tokens, affinity: row };
  }
  const first = graph.op("Squeeze", [sliceTokens(emitter, mean, 0, 1), integers(emitter, 1)]);
  return { tokens, affinity: sliceTokens(emitter, first, 1) };
}

/** The pooled token in row 0, each token as it would be pooled alone after it, and the pooling weights: `attentionPool`. */
export function attentionPool(
  emitter: Emitter,
  params: AttentionPoolParams,
  x: Value,
  { heads, epsilon, activation: kind, affinity }: Omit<BlocksOptions, "order" | "mask" | "read">,
): BlocksResult {
  const { graph } = emitter;
  const { attention: layers, probe } = params;
  const width = layers.query.weight.shape[0];
  const split = (rows: Value, perm: number[]): Value =>
    graph.op("Transpose", [reshape(emitter, rows, 0, -1, heads, width / heads)], { perm });
  const query = split(linear(emitter, layers.query, weight(emitter, probe)), [0, 2, 1, 3]); // [1, H, 1, d]
  const key = split(linear(emitter, layers.key, x), [0, 2, 3, 1]); // [B, H, d, N]
  const value = linear(emitter, layers.value, x);
  const scores = graph.op("Mul", [graph.op("MatMul", [query, key]), scalar(emitter, Math.sqrt(heads / width))]);
  const shares = graph.op("Softmax", [scores], { axis: -1 });
  const context = graph.op("Transpose", [graph.op("MatMul", [shares, split(value, [0, 2, 1, 3])])], {
    perm: [0, 2, 1, 3],
  });
  const pooled = reshape(emitter, context, 0, -1, width); // [B, 1, D]
  const rows = affinity ? graph.op("Concat", [pooled, value], { axis: 1 }) : pooled;
  const y = linear(emitter, layers.output, rows);
  const tokens = graph.op("Add", [y, mlp(emitter, params.mlp, layerNorm(emitter, params.norm, y, epsilon), kind)]);
  if (!affinity) return { tokens };
  const mean = graph.op("ReduceMean", [affinity === "logits" ? scores : shares], { axes: [1], keepdims: 0 }); // [B, 1, N]
  return { tokens, affinity: graph.op("Squeeze", [mean, integers(emitter, 1)]) };
}

/** Transformer blocks, one after the other. */
export function blocks(
  emitter: Emitter,
  layers: readonly BlockParams[],
  x: Value,
  options: BlocksOptions,
): BlocksResult {
  const { graph } = emitter;
  const { epsilon, order } = options;
  let state: BlocksResult = { tokens: x };
  for (const [i, block] of layers.entries()) {
    const { affinity: kind, ...rest } = options;
    const wanted = i === layers.length - 1 && kind ? options : rest;
    const norm = (params: LayerNormParams, value: Value): Value => layerNorm(emitter, params, value, epsilon);
    const { tokens } = state;
    const attended = attention(emitter, block.attention, order === "pre" ? norm(block.norm1, tokens) : tokens, wanted);
    const sum = graph.op("Add", [tokens, attended.tokens]);
    const middle = order === "pre" ? sum : norm(block.norm1, sum);
    const fed = mlp(emitter, block.mlp, order === "pre" ? norm(block.norm2, middle) : middle, options.activation);
    const end = graph.op("Add", [middle, fed]);
    state = { ...attended, tokens: order === "pre" ? end : norm(block.norm2, end) };
  }
  return state;
}

/** Scores of pads become minus infinity: `[B, 1, 1, N]` from ids `[B, N]`, pads 0. */
export function padMask(emitter: Emitter, ids: Value): Value {
  const { graph } = emitter;
  const isPad = graph.op("Cast", [graph.op("Equal", [ids, graph.constant([0], [], "int64")])], { to: 1 });
  const logits = graph.op("Mul", [isPad, scalar(emitter, MASKED)]);
  return graph.op("Unsqueeze", [logits, integers(emitter, 1, 2)]);
}

/** A token sees itself and those before it: `[N, N]`. */
export function causalMask(emitter: Emitter, length: number): Value {
  const values = Float32Array.from(
    { length: length * length },
    (_, i) => i % length > Math.floor(i / length) ? MASKED : 0,
  );
  return emitter.graph.constant(values, [length, length]);
}

/**
 * The read token in row 0, the others after it in their order; likewise its affinity, without that to itself.
 *
 * @param tokens `[B, N, D]`.
 * @param affinity `[B, N]`.
 * @param place `[B, 1]` int64.
 * @param sizes N and D.
 */
export function readFirst(
  emitter: Emitter,
  { tokens, affinity }: { tokens: Value; affinity: Value },
  place: Value,
  { length, width }: { length: number; width: number },
): { tokens: Value; affinity: Value } {
  const { graph } = emitter;
  const positions = integers(emitter, ...Array(length - 1).keys());
  const isAfter = graph.op("Cast", [graph.op("Not", [graph.op("Less", [positions, place])])], { to: 7 });
  const others = graph.op("Add", [positions, isAfter]); // [B, N - 1]: each place, or the next from the read token on
  const order = graph.op("Unsqueeze", [graph.op("Concat", [place, others], { axis: 1 }), integers(emitter, 2)]);
  const wide = graph.op("Expand", [order, integers(emitter, 1, 1, width)]);
  return {
    tokens: graph.op("GatherElements", [tokens, wide], { axis: 1 }),
    affinity: graph.op("GatherElements", [affinity, others], { axis: 1 }),
  };
}

function bottleneck(emitter: Emitter, { down, up }: AdapterParams, x: Value): Value {
  const inner = emitter.graph.op("LeakyRelu", [linear(emitter, down, x)], { alpha: float(0.2) });
  return linear(emitter, up, inner);
}

/**
 * ACE-HGNN's node of CLS: only the k + 1 hyperedges that reach it are built, by index where the library multiplies one-hot rows.
 *
 * @param tokens Unit tokens, CLS first, `[B, N + 1, E]`.
 * @param affinity CLS attention, `[B, N]`.
 * @param sizes Tokens N, embedding E and members k.
 * @returns `[B, E]`, not normalised.
 */
export function aceHgnn(
  emitter: Emitter,
  params: AceHgnnParams,
  tokens: Value,
  affinity: Value,
  sizes: { tokens: number; embedding: number; topK: number },
): Value {
  const { graph } = emitter;
  const { tokens: count, embedding } = sizes;
  const k = Math.min(sizes.topK, count);
  const [cls, local] = [sliceTokens(emitter, tokens, 0, 1), sliceTokens(emitter, tokens, 1)];
  const best = (scores: Value, axis: number): [shares: Value, indices: Value] => {
    const [values, indices] = graph.ops("TopK", [scores, integers(emitter, k)], 2, { axis });
    return [graph.op("Softmax", [values!], { axis: -1 }), indices!];
  };
  /** Rows of `local` by their indices `[B, M]`. */
  const take = (indices: Value, rows: number): Value => {
    const wide = graph.op("Expand", [
      graph.op("Unsqueeze", [indices, integers(emitter, 2)]),
      integers(emitter, 1, rows, embedding),
    ]);
    return graph.op("GatherElements", [local, wide], { axis: 1 });
  };
  const [row, members] = best(affinity, 1); // [B, k]
  const weights = graph.op("Unsqueeze", [row, integers(emitter, 2)]); // [B, k, 1]
  const chosen = take(members, k); // [B, k, E]
  const unit = graph.op("Transpose", [l2Normalise(emitter, local)], { perm: [0, 2, 1] });
  const cosines = graph.op("MatMul", [l2Normalise(emitter, chosen), unit]); // [B, k, N]
  const depth = graph.constant([count], [], "int64");
  const own = graph.op("OneHot", [members, depth, graph.constant([0, MASKED], [2])], { axis: -1 });
  const [near, neighbours] = best(graph.op("Add", [cosines, own]), 2); // [B, k, k]
  const around = reshape(emitter, take(reshape(emitter, neighbours, 0, k * k), k * k), 0, k, k, embedding);
  const sum = graph.op("Squeeze", [
    graph.op("MatMul", [graph.op("Unsqueeze", [near, integers(emitter, 2)]), around]),
    integers(emitter, 2),
  ]); // [B, k, E]
  const edges = graph.op("Sum", [chosen, sum, graph.op("Mul", [weights, cls])]);
  const weighted = (values: Value): Value =>
    graph.op("ReduceSum", [graph.op("Mul", [weights, values]), integers(emitter, 1)], { keepdims: 1 });
  const clsEdge = graph.op("Add", [cls, weighted(chosen)]);
  const message = (edge: Value): Value => bottleneck(emitter, params.edge, edge);
  const node = graph.op("Add", [message(clsEdge), weighted(message(edges))]); // [B, 1, E]
  return bottleneck(emitter, params.node, reshape(emitter, node, 0, embedding));
}
