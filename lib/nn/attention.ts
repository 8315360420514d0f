/** Multi-head self-attention, and one query's attention on its own. @module */
import * as tf from "@tensorflow/tfjs";
import { fusedAffinity } from "../tensor/kernels/affinity/api.ts";
import { attention } from "../tensor/kernels/attention/api.ts";
import { biasedAttention } from "../tensor/kernels/biased_attention/api.ts";
import { tidy } from "../tensor/ops.ts";
import { deriveSeed } from "../tensor/random.ts";
import { add, meanOver, mul, reshape, slice, sumOver } from "../tensor/typed.ts";
import type { Tensor2D, Tensor3D, Tensor4D } from "../tensor/types.ts";
import { droppedAttention } from "./dropped_attention.ts";
import { gatedAttention } from "./gated_attention.ts";
import { layerNorm, type LayerNormParams } from "./layer_norm.ts";
import { linear, type LinearOptions, type LinearParams, linears } from "./linear.ts";
import { tokenAt, upToToken } from "./read_token.ts";
import { type RotaryTable, rotate } from "./rotary.ts";
import { windowBias, type Windows } from "./windows.ts";
import { mapTuple } from "../platform/map_tuple.ts";

/** A linear layer of a self-attention layer. */
export type AttentionProjection = "query" | "key" | "value" | "output";

/** Weights of a self-attention layer. */
export interface AttentionParams {
  /** Query projection, `[D, D]`. */
  query: LinearParams;
  /** Key projection, `[D, D]`. */
  key: LinearParams;
  /** Value projection, `[D, D]`. */
  value: LinearParams;
  /** Output projection, `[D, D]`. */
  output: LinearParams;
  /** LayerNorm before the output projection. @default {none} */
  norm?: LayerNormParams;
  /** What is added to a score by the distance of two tokens of a window, `[(2w - 1)², H]`. @default {nothing} */
  relativeBias?: Tensor2D;
}

/** What of the CLS query's attention to return: scores before the softmax, or probabilities after it. */
export type AffinityKind = "logits" | "probabilities";

/** Options of {@linkcode selfAttention}. */
export interface SelfAttentionOptions {
  /** Number of heads. */
  heads: number;
  /** 1 for a real key, 0 for a pad; shape `[B, N]`. @default {all real} */
  keyMask?: Tensor2D;
  /** Each query sees only the keys up to its own place. @default {false} */
  causal?: boolean;
  /** Return the attention of token 0 (or of `read`) to the others, averaged over heads. @default {not returned} */
  affinity?: AffinityKind;
  /** Compute the output of token 0 (or of `read`) only. @default {false} */
  clsOnly?: boolean;
  /** 1 at the token of each sample that `affinity` and `clsOnly` mean, else 0; shape `[B, N]`. @default {token 0} */
  read?: Tensor2D;
  /** Seed of the dropout masks; without it the layer is in evaluation mode. */
  seed?: number;
  /** Added to the output, of its shape. @default {nothing} */
  residual?: Tensor3D;
  /** Dropout of the probabilities. @default {none} */
  probabilityDrop?: { rate: number; seed: number };
  /** Factor of the probabilities of every head, `[B, H, N, N]`, for their gradient; no masks then. @default {none} */
  gate?: Tensor4D;
  /** Turns queries and keys by their tokens' places. @default {they are as they are} */
  rotary?: RotaryTable;
  /** The samples are the windows of a map, whose `relativeBias` is added to the scores; no masks then. @default {they are not} */
  windows?: Windows;
  /** Of the LayerNorm before the output projection. @default {1e-6} */
  epsilon?: number;
  /** Dropout of the output, before the residual. @default {none} */
  outputDrop?: { rate: number; seed: number };
}

/** What {@linkcode selfAttention} returns. */
export interface SelfAttentionResult {
  /** Shape `[B, N, D]`, or `[B, 1, D]` with `clsOnly`. */
  output: Tensor3D;
  /** Shape `[B, N - 1]`: the attention of token 0 to tokens 1 to N - 1. With `read` `[B, N]`: that token's to all. */
  affinity?: Tensor2D;
}

/**
 * Self-attention over `[B, N, D]`, `softmax(q kᵀ / √(D/H)) v` per head, then the output projection.
 *
 * @param params Weights.
 * @param x Shape `[B, N, D]`.
 * @returns Output and affinity. The caller disposes both.
 */
export function selfAttention(
  params: AttentionParams,
  x: Tensor3D,
  options: SelfAttentionOptions,
): SelfAttentionResult {
  const { heads, causal = false, clsOnly = false, seed, read } = options;
  const mode = (name: string): LinearOptions => seed === undefined ? {} : { seed: deriveSeed(seed, name) };
  return tidy(() => {
    const source = clsOnly ? tokenAt(x, read) : x;
    const project = <const N extends readonly ("query" | "key" | "value")[]>(names: N, rows: Tensor3D) =>
      linears(mapTuple(names, (name) => params[name]), rows, names.map(mode));
    const [straight, unturned, value] = clsOnly
      ? [...project(["query"], source), ...project(["key", "value"], x)]
      : project(["query", "key", "value"], x);
    const { rotary } = options;
    const query = rotary && !clsOnly ? rotate(straight, rotary) : straight; // CLS's own query has no place
    const key = rotary ? rotate(unturned, rotary) : unturned;
    const { residual: addend, outputDrop: drop, probabilityDrop } = options;
    const seen = causal && read ? visibleTo(read, options.keyMask) : options.keyMask;
    const keyMask = clsOnly ? seen : options.keyMask;
    const shared = { heads, causal: causal && !(clsOnly && read), ...(keyMask ? { keyMask } : {}) };
    const { windows } = options;
    const seenBy = windows && params.relativeBias
      ? biasedAttention([query, key, value], windowBias(params.relativeBias, windows))
      : options.gate
      ? gatedAttention([query, key, value], options.gate)
      : probabilityDrop
      ? droppedAttention(query, key, value, { ...shared, drop: probabilityDrop })
      : attention(query, key, value, shared);
    const context = params.norm ? layerNorm(params.norm, seenBy, options.epsilon ?? 1e-6) : seenBy;
    const output = linear(params.output, context, {
      ...mode("output"),
      ...(addend ? { addend } : {}),
      ...(drop ? { drop } : {}),
    });
    if (!options.affinity) return { output };
    const mask = seen ? { keyMask: seen } : {};
    if (!read) return { output, affinity: clsAffinity(query, key, { heads, kind: options.affinity, ...mask }) };
    const own = clsOnly ? query : tokenAt(query, read); // [B, 1, D]
    return { output, affinity: queryAffinity(own, key, { heads, kind: options.affinity, ...mask }) };
  });
}

/** The keys that the token of `read` sees under a causal mask: itself and those before it. */
function visibleTo(read: Tensor2D, keyMask: Tensor2D | undefined): Tensor2D {
  const before = upToToken(read);
  return keyMask ? tf.mul(before, keyMask) : before;
}

/** Options of {@linkcode clsAffinity} and {@linkcode queryAffinity}. */
export interface AffinityOptions {
  /** Number of heads. */
  heads: number;
  /** Scores before or after the softmax. */
  kind: AffinityKind;
  /** 1 for a key that is seen, else 0, shape `[B, N]`. @default {all seen} */
  keyMask?: Tensor2D;
}

/**
 * Attention of token 0's query to tokens 1 to N - 1, averaged over heads.
 *
 * Averaged logits need no per-head products: `mean_h(q_h · k_h) / √d = (q · k) / (H √d)`, with `d = D / H`. As in the released
 * code the logits of pads are left in; only `probabilities` know the mask.
 *
 * @param query Shape `[B, M, D]`; only row 0 is read.
 * @param key Shape `[B, N, D]`.
 * @returns Shape `[B, N - 1]`. The caller disposes it.
 */
function clsAffinity(query: Tensor3D, key: Tensor3D, options: AffinityOptions): Tensor2D {
  return options.kind === "logits"
    ? meanLogits(query, key, { ...options, from: 1 })
    : meanProbabilities(query, key, { ...options, from: 1 });
}

/**
 * Attention of one query a sample to all keys, averaged over heads; logits of keys that are not seen are -1e9.
 *
 * @param query Shape `[B, 1, D]`.
 * @param key Shape `[B, N, D]`.
 * @returns Shape `[B, N]`. The caller disposes it.
 */
export function queryAffinity(query: Tensor3D, key: Tensor3D, options: AffinityOptions): Tensor2D {
  const { kind, keyMask } = options;
  return tf.tidy(() => {
    if (kind === "probabilities") return meanProbabilities(query, key, { ...options, from: 0 });
    const logits = meanLogits(query, key, { ...options, from: 0 });
    return keyMask ? tf.where(tf.greater(keyMask, 0), logits, tf.fill(logits.shape, -1e9)) : logits;
  });
}

/** Row 0 of the query's, to the keys from `from` on: `[B, N - from]`. */
type MeanOptions = Omit<AffinityOptions, "kind"> & { from: number };

function meanLogits(query: Tensor3D, key: Tensor3D, { heads, from }: MeanOptions): Tensor2D {
  const [batch, tokens, width] = key.shape;
  const scale = 1 / Math.sqrt(width / heads) / heads;
  return fusedAffinity(query, key, { heads: 1, scale, isSoftmax: false, from }) ?? tf.tidy(() => {
    const scores = tf.matMul(key, tokenAt(query), false, true); // [B, N, 1]
    return keysFrom(mul(reshape(scores, [batch, tokens]), scale), from);
  });
}

function meanProbabilities(query: Tensor3D, key: Tensor3D, { heads, keyMask, from }: MeanOptions): Tensor2D {
  const [batch, tokens, width] = key.shape;
  const scale = 1 / Math.sqrt(width / heads);
  const mask = keyMask ? { keyMask } : {};
  return fusedAffinity(query, key, { heads, scale, isSoftmax: true, from, ...mask }) ?? tf.tidy(() => {
    const products = reshape(tf.mul(key, tokenAt(query)), [batch, tokens, heads, width / heads]);
    let scores = tf.transpose(mul(sumOver(products, -1), scale), [0, 2, 1]); // [B, H, N]
    if (keyMask) scores = add(scores, tf.reshape(tf.mul(tf.sub(keyMask, 1), 1e9), [batch, 1, tokens]));
    return keysFrom(meanOver(tf.softmax(scores), 1), from);
  });
}

function keysFrom(all: Tensor2D, from: number): Tensor2D {
  return from === 0 ? all : slice(all, [0, from], [all.shape[0], all.shape[1] - from]);
}
