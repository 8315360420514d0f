/** Multi-head attention, plainly. @module */
import { type CpuCall, result, sizeOf, valuesOf } from "../../cpu/call.ts";
import type { Info3D } from "../info.ts";
import type { KernelResult } from "../interface.ts";

/** The score of a masked key: finite, so that a row of masked keys has a softmax (the uniform one). */
const MASKED = -1e9;

/** The sizes and inputs both directions need, and the scores of one query under one head. */
function problem(call: CpuCall<"AceAttention"> | CpuCall<"AceAttentionGrad">) {
  const { inputs, attrs } = call;
  const [batch, m, width] = inputs.query.shape;
  const n = inputs.key.shape[1];
  const [q, k, v] = [valuesOf(call, inputs.query), valuesOf(call, inputs.key), valuesOf(call, inputs.value)];
  const mask = inputs.keyMask && valuesOf(call, inputs.keyMask);
  const w = width / attrs.heads;
  const seen = (b: number, i: number, j: number): boolean =>
    (!mask || mask[b * n + j] !== 0) && (!attrs.causal || j <= i);
  const scores = (b: number, h: number, i: number): Float64Array =>
    new Float64Array(n).map((_, j) => {
      if (!seen(b, i, j)) return MASKED;
      let dot = 0;
      for (let c = h * w; c < (h + 1) * w; c++) dot += q[(b * m + i) * width + c]! * k[(b * n + j) * width + c]!;
      return dot * attrs.scale;
    });
  return { batch, m, n, width, w, q, k, v, seen, scores };
}

/** Softmax of a row and the log of its sum of exponentials. */
function softmax(scores: Float64Array): { probabilities: Float64Array; logSumExp: number } {
  const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const exps = scores.map((s) => Math.exp(s - top));
  const sum = exps.reduce((a, b) => a + b, 0);
  return { probabilities: exps.map((e) => e / sum), logSumExp: top + Math.log(sum) };
}

/** AceAttention: context `[B, M, W]` and logSumExp `[B, heads, M]`. */
export function attention(call: CpuCall<"AceAttention">): KernelResult<"AceAttention"> {
  const { batch, m, n, width, w, v, scores } = problem(call);
  const { heads } = call.attrs;
  const context = new Float32Array(batch * m * width);
  const lse = new Float32Array(batch * heads * m);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < m; i++) {
        const { probabilities, logSumExp } = softmax(scores(b, h, i));
        lse[(b * heads + h) * m + i] = logSumExp;
        for (let c = h * w; c < (h + 1) * w; c++) {
          let sum = 0;
          for (let j = 0; j < n; j++) sum += probabilities[j]! * v[(b * n + j) * width + c]!;
          context[(b * m + i) * width + c] = sum;
        }
      }
    }
  }
  return [result(call, [batch, m, width], context), result(call, [batch, heads, m], lse)];
}

/** AceAttentionGrad: `[dQuery, dKey, dValue]`. A masked score is a constant: it has no gradient. */
export function attentionGrad(call: CpuCall<"AceAttentionGrad">): KernelResult<"AceAttentionGrad"> {
  const { batch, m, n, width, w, q, k, v, seen, scores } = problem(call);
  const { heads, scale } = call.attrs;
  const dy = valuesOf(call, call.inputs.dy);
  const dq = new Float64Array(sizeOf(call.inputs.query.shape));
  const dk = new Float64Array(sizeOf(call.inputs.key.shape));
  const dv = new Float64Array(sizeOf(call.inputs.value.shape));
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < m; i++) {
        const { probabilities: p } = softmax(scores(b, h, i));
        const index = (b * m + i) * width + h * w;
        const dp = new Float64Array(n);
        let mean = 0;
        for (let j = 0; j < n; j++) {
          const to = (b * n + j) * width + h * w;
          for (let c = 0; c < w; c++) {
            dp[j]! += dy[index + c]! * v[to + c]!;
            dv[to + c]! += p[j]! * dy[index + c]!;
          }
          mean += p[j]! * dp[j]!;
        }
        for (let j = 0; j < n; j++) {
          if (!seen(b, i, j)) continue;
          const to = (b * n + j) * width + h * w;
          const ds = p[j]! * (dp[j]! - mean) * scale;
          for (let c = 0; c < w; c++) {
            dq[index + c]! += ds * k[to + c]!;
            dk[to + c]! += ds * q[index + c]!;
          }
        }
      }
    }
  }
  const { query, key, value } = call.inputs;
  const gradient = (of: Info3D, values: Float64Array): Info3D => result(call, of.shape, Float32Array.from(values));
  return [gradient(query, dq), gradient(key, dk), gradient(value, dv)];
}
