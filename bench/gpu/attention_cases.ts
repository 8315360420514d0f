/** Attention, forward and backward: one head is computed whole in float64, its rows are compared. @module */
import * as tf from "@tensorflow/tfjs";
import type { Tensor } from "../../lib/tensor/types.ts";
import { type Numbers, runKernel, type Source } from "./inputs.ts";
import type { Case } from "./row.ts";
import type { Sizes } from "./row_cases.ts";

interface Head {
  query: Numbers;
  key: Numbers;
  value: Numbers;
  dy: Numbers;
  open: (key: number) => boolean;
  tokens: number;
  width: number;
  /** First element of the head in row 0 of its batch. */
  at: number;
  depth: number;
}

/** One head in float64: context, dQuery, dKey, dValue, each `[tokens, depth]`. */
function oneHead(head: Head): Float64Array[] {
  const { tokens, depth, width, at } = head;
  const scale = 1 / Math.sqrt(depth);
  const out = [0, 1, 2, 3].map(() => new Float64Array(tokens * depth));
  const [context, dq, dk, dv] = out as [Float64Array, Float64Array, Float64Array, Float64Array];
  const of = (numbers: Numbers, row: number, d: number) => numbers.values[at + row * width + d]!;
  for (let m = 0; m < tokens; m++) {
    const scores = Array.from({ length: tokens }, (_, n) => {
      let sum = 0;
      for (let d = 0; d < depth; d++) sum += of(head.query, m, d) * of(head.key, n, d);
      return head.open(n) ? sum * scale : -1e9;
    });
    const top = scores.reduce((a, b) => Math.max(a, b));
    const total = scores.reduce((sum, s) => sum + Math.exp(s - top), 0);
    const p = scores.map((s) => Math.exp(s - top) / total);
    const dp = p.map((pn, n) => {
      let sum = 0;
      for (let d = 0; d < depth; d++) {
        context[m * depth + d]! += pn * of(head.value, n, d);
        sum += of(head.dy, m, d) * of(head.value, n, d);
      }
      return sum;
    });
    const delta = p.reduce((sum, pn, n) => sum + pn * dp[n]!, 0);
    p.forEach((pn, n) => {
      const ds = pn * (dp[n]! - delta) * scale;
      for (let d = 0; d < depth; d++) {
        dq[m * depth + d]! += ds * of(head.key, n, d);
        dk[n * depth + d]! += ds * of(head.query, m, d);
        dv[n * depth + d]! += pn * of(head.dy, m, d);
      }
    });
  }
  return out;
}

function pair(sizes: Sizes, source: Source, kind: { tokens: number; masked: boolean }): Case[] {
  const { batch, width, heads } = sizes;
  const { tokens, masked } = kind;
  const depth = width / heads;
  const attrs = { heads, scale: 1 / Math.sqrt(depth), causal: false };
  const shape = `[${batch}, ${tokens}, ${width}], ${heads} heads${masked ? ", masked" : ""}`;
  const tensorBytes = batch * tokens * width * 4;
  const unit = 2 * batch * tokens * tokens * width; // one product of tokens x tokens for every head
  const make = () => {
    const [query, key, value, dy] = [2, 2, 1, 1].map((scale) => source.numbers([batch, tokens, width], scale)) as [
      Numbers,
      Numbers,
      Numbers,
      Numbers,
    ];
    const keysOf = (b: number) => masked ? Math.max(1, tokens - b * 3) : tokens;
    const mask = Float32Array.from(
      { length: batch * tokens },
      (_, i) => i % tokens < keysOf(Math.floor(i / tokens)) ? 1 : 0,
    );
    const inputs: Record<string, Tensor> = { query: query.tensor, key: key.tensor, value: value.tensor };
    if (masked) inputs["keyMask"] = tf.tensor2d(mask, [batch, tokens]);
    const places = source.places(batch * heads, 3);
    const want = (outputs: readonly number[]) =>
      places.flatMap((place) => {
        const [b, h] = [Math.floor(place / heads), place % heads];
        const at = b * tokens * width + h * depth;
        const open = (n: number) => n < keysOf(b);
        const head = oneHead({ query, key, value, dy, open, tokens, width, at, depth });
        return outputs.flatMap((from, to) =>
          [...head[from]!].map((v, i) =>
            [to, at + Math.floor(i / depth) * width + i % depth, v] as [number, number, number]
          )
        );
      });
    const free = () => tf.dispose([...Object.values(inputs), dy.tensor]);
    return { inputs, dy, want, free };
  };
  return [
    {
      op: "AceAttention",
      shape,
      bytes: 4 * tensorBytes,
      flops: 2 * unit,
      tolerance: 1e-5,
      prepare: () => {
        const { inputs, want, free } = make();
        return { run: () => runKernel("AceAttention", inputs, attrs), want: () => want([0]), free };
      },
    },
    {
      op: "AceAttentionGrad",
      shape,
      bytes: 8 * tensorBytes,
      flops: 5 * unit,
      tolerance: 1e-5,
      prepare: () => {
        const { inputs, dy, want, free } = make();
        const [context, logSumExp] = runKernel("AceAttention", inputs, attrs) as [Tensor, Tensor];
        const all = { dy: dy.tensor, ...inputs, context, logSumExp };
        return {
          run: () => runKernel("AceAttentionGrad", all, attrs),
          want: () => want([1, 2, 3]),
          free: () => {
            free();
            tf.dispose([context, logSumExp]);
          },
        };
      },
    },
  ];
}

/** The image tower's attention, and the text tower's with padding. */
export function attentionCases(sizes: Sizes, source: Source): Case[] {
  return [
    ...pair(sizes, source, { tokens: sizes.tokens, masked: false }),
    ...pair(sizes, source, { tokens: sizes.textTokens, masked: true }),
  ];
}
