import type { Tensor2D, Tensor3D } from "../../lib/tensor/types.ts";
import { type AffinityKind, type AttentionParams, queryAffinity, selfAttention } from "../../lib/nn/attention.ts";
import { assertGpuLikeCpu, gpuTest, tensor } from "./webgpu_support.ts";

const CASES: { size: [batch: number, tokens: number, width: number, heads: number]; pads: boolean }[] = [
  { size: [3, 9, 24, 3], pads: true },
  { size: [2, 70, 16, 2], pads: false },
  { size: [2, 5, 6, 2], pads: true }, // heads of three columns
  { size: [1, 300, 8, 1], pads: true }, // more keys than threads
];

for (const { size: [batch, tokens, width, heads], pads } of CASES) {
  for (const kind of ["logits", "probabilities"] as AffinityKind[]) {
    const name = `${kind} of ${tokens} tokens in ${heads} heads of ${width / heads}, ${pads ? "with" : "without"} pads`;
    gpuTest(`selfAttention() gives the affinity of token 0, ${name}, with its gradients`, async () => {
      const seen = Array.from({ length: batch * tokens }, (_, i) => i % 4 === 3 ? 0 : 1);
      const shapes = [[batch, tokens, width], ...Array.from({ length: 4 }, () => [width, width])];
      await assertGpuLikeCpu(shapes, (x, ...weights) => {
        const [query, key, value, output] = weights.map((weight) => ({ weight: weight as Tensor2D }));
        const params = { query, key, value, output } as AttentionParams;
        const keyMask = pads ? { keyMask: tensor(seen, [batch, tokens]) as Tensor2D } : {};
        const result = selfAttention(params, x as Tensor3D, { heads, affinity: kind, ...keyMask });
        return [result.output, result.affinity!];
      }, { scale: 0.5, tolerance: 1e-5 });
    });
  }
}

gpuTest("queryAffinity() of one query a sample gives all keys, with its gradients", async () => {
  await assertGpuLikeCpu([[1, 1, 8], [1, 5, 8]], (q, k) => [
    queryAffinity(q as Tensor3D, k as Tensor3D, { heads: 2, kind: "probabilities" }),
    queryAffinity(q as Tensor3D, k as Tensor3D, { heads: 2, kind: "logits" }),
  ]);
});
