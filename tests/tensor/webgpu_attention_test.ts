import { assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { attentionGradWithin } from "../../lib/tensor/kernels/attention/webgpu.ts";
import { runKernel } from "../../lib/tensor/kernels/run.ts";
import type { WebgpuBackend } from "../../lib/tensor/webgpu/backend.ts";
import { dispatchCount } from "../../lib/tensor/webgpu/run.ts";
import type { Tensor, Tensor2D, Tensor3D } from "../../lib/tensor/types.ts";
import { assertNear, gpuTest, randoms, run, tensor } from "./webgpu_support.ts";

interface Case {
  batch: number;
  queries: number;
  keys: number;
  heads: number;
  depth: number;
  causal?: boolean;
  /** Keys that count, by batch and key. */
  mask?: (b: number, n: number) => boolean;
}

/** Attention and its gradient in float64 with the whole score matrix. */
function reference(shape: Case, data: { q: Float64Array; k: Float64Array; v: Float64Array; dy: Float64Array }) {
  const { batch, queries, keys, heads, depth } = shape;
  const width = heads * depth;
  const scale = 1 / Math.sqrt(depth);
  const out = {
    context: new Float64Array(batch * queries * width),
    lse: new Float64Array(batch * heads * queries),
    dq: new Float64Array(batch * queries * width),
    dk: new Float64Array(batch * keys * width),
    dv: new Float64Array(batch * keys * width),
  };
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let m = 0; m < queries; m++) {
        const qAt = (b * queries + m) * width + h * depth;
        const kAt = (n: number) => (b * keys + n) * width + h * depth;
        const open = Array.from({ length: keys }, (_, n) => (shape.mask?.(b, n) ?? true) && !(shape.causal && n > m));
        const scores = open.map((isOpen, n) => {
          if (!isOpen) return -1e9;
          let dot = 0;
          for (let d = 0; d < depth; d++) dot += data.q[qAt + d]! * data.k[kAt(n) + d]!;
          return dot * scale;
        });
        const top = Math.max(...scores);
        const total = scores.reduce((sum, s) => sum + Math.exp(s - top), 0);
        const p = scores.map((s) => Math.exp(s - top) / total);
        out.lse[(b * heads + h) * queries + m] = top + Math.log(total);
        const dp = p.map((_, n) => {
          let dot = 0;
          for (let d = 0; d < depth; d++) {
            out.context[qAt + d]! += p[n]! * data.v[kAt(n) + d]!;
            dot += data.dy[qAt + d]! * data.v[kAt(n) + d]!;
          }
          return dot;
        });
        const delta = p.reduce((sum, pn, n) => sum + pn * dp[n]!, 0);
        for (let n = 0; n < keys; n++) {
          const ds = open[n] ? p[n]! * (dp[n]! - delta) * scale : 0;
          for (let d = 0; d < depth; d++) {
            out.dq[qAt + d]! += ds * data.k[kAt(n) + d]!;
            out.dk[kAt(n) + d]! += ds * data.q[qAt + d]!;
            out.dv[kAt(n) + d]! += p[n]! * data.dy[qAt + d]!;
          }
        }
      }
    }
  }
  return out;
}

const CASES: Record<string, Case> = {
  "one query, one key, width 1": { batch: 1, queries: 1, keys: 1, heads: 1, depth: 1 },
  "5 tokens, 2 heads of 3": { batch: 2, queries: 5, keys: 5, heads: 2, depth: 3 },
  "65 tokens, 2 heads of 16": { batch: 2, queries: 65, keys: 65, heads: 2, depth: 16 },
  "197 tokens, 2 heads of 64": { batch: 1, queries: 197, keys: 197, heads: 2, depth: 64 },
  "3 queries, 70 keys, head of 96": { batch: 2, queries: 3, keys: 70, heads: 1, depth: 96 },
  "66 queries, 5 keys, head of 34": { batch: 1, queries: 66, keys: 5, heads: 1, depth: 34 },
  "head of 260, loops in the code": { batch: 1, queries: 6, keys: 7, heads: 1, depth: 260 },
  "causal, 67 tokens": { batch: 1, queries: 67, keys: 67, heads: 2, depth: 8, causal: true },
  "masked padding": { batch: 3, queries: 20, keys: 20, heads: 2, depth: 16, mask: (b, n) => n < 20 - 6 * b },
  "every key masked in one batch": { batch: 2, queries: 9, keys: 35, heads: 1, depth: 40, mask: (b) => b === 1 },
  "causal with left padding": {
    batch: 2,
    queries: 12,
    keys: 12,
    heads: 1,
    depth: 4,
    causal: true,
    mask: (b, n) => n >= 5 * b,
  },
};

for (const [name, shape] of Object.entries(CASES)) {
  gpuTest(`AceAttention and its gradient equal float64: ${name}`, async () => {
    const { batch, queries, keys, heads, depth } = shape;
    const width = heads * depth;
    const data = {
      q: randoms(batch * queries * width, 1, 2),
      k: randoms(batch * keys * width, 2),
      v: randoms(batch * keys * width, 3),
      dy: randoms(batch * queries * width, 4),
    };
    const want = reference(shape, data);
    const attrs = { heads, scale: 1 / Math.sqrt(depth), causal: shape.causal ?? false };
    const inputs: Record<"query" | "key" | "value", Tensor3D> & { keyMask?: Tensor2D } = {
      query: tensor(data.q, [batch, queries, width]),
      key: tensor(data.k, [batch, keys, width]),
      value: tensor(data.v, [batch, keys, width]),
    };
    if (shape.mask) {
      const bits = Array.from({ length: batch * keys }, (_, i) => shape.mask!(Math.floor(i / keys), i % keys) ? 1 : 0);
      inputs.keyMask = depth === 40 ? tf.tensor2d(bits, [batch, keys], "int32") : tensor(bits, [batch, keys]);
    }
    const dy = tensor(data.dy, [batch, queries, width]);
    const count = dispatchCount();
    const [context, logSumExp] = runKernel("AceAttention", inputs, attrs);
    assertEquals(dispatchCount() - count, 1);
    const all = { dy, ...inputs, context, logSumExp };
    const [dQuery, dKey, dValue] = runKernel("AceAttentionGrad", all, attrs);
    assertEquals(dispatchCount() - count, 3);
    const results: [string, Tensor[]][] = [["9 bindings", [dQuery, dKey, dValue]]];
    if (depth <= 40) { // wide heads compile slowly on a software adapter, and the narrow form has no code of its own
      const backend = tf.backend() as unknown as WebgpuBackend;
      const narrow = attentionGradWithin({ inputs: all, attrs, backend }, 8);
      results.push(["8 bindings", narrow.map((info) => tf.engine().makeTensorFromTensorInfo(info))]);
      assertEquals(dispatchCount() - count, shape.mask ? 6 : 5);
    }
    // exp of scores up to about 10 and sums over up to 197 keys in float32.
    const tolerance = 1e-5;
    for (const [label, grads] of results) {
      await assertNear(grads[0]!, want.dq, tolerance, `dQuery, ${label}`);
      await assertNear(grads[1]!, want.dk, tolerance, `dKey, ${label}`);
      await assertNear(grads[2]!, want.dv, tolerance, `dValue, ${label}`);
    }
    await assertNear(context, want.context, tolerance, "context");
    await assertNear(logSumExp, want.lse, tolerance, "logSumExp");
    tf.dispose([dy, ...Object.values(inputs)]);
  });
}

gpuTest("AceAttention accepts one tensor as query, key and value, and scores of a thousand", async () => {
  const x = randoms(2 * 6 * 8, 5, 60);
  const t = tensor(x, [2, 6, 8]);
  const want = reference({ batch: 2, queries: 6, keys: 6, heads: 1, depth: 8 }, { q: x, k: x, v: x, dy: x });
  const attrs = { heads: 1, scale: 1 / Math.sqrt(8), causal: false };
  const [context, logSumExp] = run("AceAttention", { query: t, key: t, value: t }, attrs);
  await assertNear(context!, want.context, 1e-4, "context");
  await assertNear(logSumExp!, want.lse, 1e-6, "logSumExp");
  t.dispose();
});
