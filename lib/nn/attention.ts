/** Multi-head self-attention, and the CLS query's attention on its own. @module */
import * as tf from "@tensorflow/tfjs";
import { attention } from "../tensor/kernels/attention/api.ts";
import { tidy } from "../tensor/ops.ts";
import { deriveSeed } from "../tensor/random.ts";
import type { Tensor2D, Tensor3D } from "../tensor/types.ts";
import { droppedAttention } from "./dropped_attention.ts";
import { linear, type LinearOptions, type LinearParams, linears } from "./linear.ts";

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
  /** Return the attention of token 0 to the others, averaged over heads. @default {not returned} */
  affinity?: AffinityKind;
  /** Compute the output of token 0 only. @default {false} */
  clsOnly?: boolean;
  /** Seed of the dropout masks; without it the layer is in evaluation mode. */
  seed?: number;
  /** Added to the output, of its shape. @default {nothing} */
  residual?: Tensor3D;
  /** Dropout of the probabilities. @default {none} */
  probabilityDrop?: { rate: number; seed: number };
  /** Dropout of the output, before the residual. @default {none} */
  outputDrop?: { rate: number; seed: number };
}

/** What {@linkcode selfAttention} returns. */
export interface SelfAttentionResult {
  /** Shape `[B, N, D]`, or `[B, 1, D]` with `clsOnly`. */
  output: Tensor3D;
  /** Shape `[B, N - 1]`: the attention of token 0 to tokens 1 to N - 1. */
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
  const { heads, keyMask, causal = false, clsOnly = false, seed } = options;
  const [batch, , width] = x.shape;
  const mode = (name: string): LinearOptions => seed === undefined ? {} : { seed: deriveSeed(seed, name) };
  return tidy(() => {
    const source = clsOnly ? tf.slice(x, [0, 0, 0], [batch, 1, width]) : x;
    const names = ["query", "key", "value"] as const;
    const project = <T extends readonly (typeof names)[number][]>(which: T, rows: Tensor3D): Tensor3D[] =>
      linears(which.map((name) => params[name]), rows, which.map(mode));
    const [query, key, value] = clsOnly
      ? [...project(["query"], source), ...project(["key", "value"], x)] as [Tensor3D, Tensor3D, Tensor3D]
      : project(names, x) as [Tensor3D, Tensor3D, Tensor3D];
    const { residual: addend, outputDrop: drop, probabilityDrop } = options;
    const how = { heads, causal, ...(keyMask ? { keyMask } : {}) };
    const context = probabilityDrop
      ? droppedAttention(query, key, value, { ...how, drop: probabilityDrop })
      : attention(query, key, value, how);
    const output = linear(params.output, context, {
      ...mode("output"),
      ...(addend ? { addend } : {}),
      ...(drop ? { drop } : {}),
    });
    if (!options.affinity) return { output };
    const affinity = clsAffinity(query, key, { heads, kind: options.affinity, ...(keyMask ? { keyMask } : {}) });
    return { output, affinity };
  });
}

/** Options of {@linkcode clsAffinity}. */
export interface ClsAffinityOptions {
  /** Number of heads. */
  heads: number;
  /** Scores before or after the softmax. */
  kind: AffinityKind;
  /** 1 for a real key, 0 for a pad; used by `probabilities` only. */
  keyMask?: Tensor2D;
}

/**
 * Attention of token 0's query to tokens 1 to N - 1, averaged over heads.
 *
 * Averaged logits need no per-head products: `mean_h(q_h · k_h) / √d = (q · k) / (H √d)`, with `d = D / H`.
 *
 * @param query Shape `[B, M, D]`; only row 0 is read.
 * @param key Shape `[B, N, D]`.
 * @returns Shape `[B, N - 1]`. The caller disposes it.
 */
export function clsAffinity(query: Tensor3D, key: Tensor3D, options: ClsAffinityOptions): Tensor2D {
  const { heads, kind, keyMask } = options;
  const [batch, tokens, width] = key.shape;
  const scale = 1 / Math.sqrt(width / heads);
  return tf.tidy(() => {
    const cls = tf.slice(query, [0, 0, 0], [batch, 1, width]);
    if (kind === "logits") {
      const scores = tf.matMul(key, cls, false, true); // [B, N, 1]
      return tf.slice(tf.mul(tf.reshape(scores, [batch, tokens]), scale / heads), [0, 1], [
        batch,
        tokens - 1,
      ]) as Tensor2D;
    }
    const products = tf.reshape(tf.mul(key, cls), [batch, tokens, heads, width / heads]);
    let scores = tf.transpose(tf.mul(tf.sum(products, -1), scale), [0, 2, 1]); // [B, H, N]
    if (keyMask) scores = tf.add(scores, tf.reshape(tf.mul(tf.sub(keyMask, 1), 1e9), [batch, 1, tokens]));
    return tf.slice(tf.mean(tf.softmax(scores), 1), [0, 1], [batch, tokens - 1]) as Tensor2D;
  });
}
