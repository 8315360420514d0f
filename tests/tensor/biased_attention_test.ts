/** Attention with something added to its scores: against sums in float64, and the gradients of its steps. */
import * as tf from "@tensorflow/tfjs";
import { gradientsOf } from "../../lib/tensor/gradients.ts";
import { biasedAttention } from "../../lib/tensor/kernels/biased_attention/api.ts";
import { biasedAttentionInSteps } from "../../lib/tensor/kernels/biased_attention/steps.ts";
import type { Scalar, Tensor, Tensor3D, Tensor4D } from "../../lib/tensor/types.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose, noLeak } from "../close.ts";
import { assertNear } from "../dense/fixture.ts";

/** Samples, tokens, width, heads, groups: as Swin has them, and with every kind of remainder. */
const SIZES = [[4, 49, 24, 3, 2], [2, 9, 10, 2, 1], [18, 16, 32, 1, 9]] as const;
type Size = (typeof SIZES)[number];
type Inputs = [Tensor3D, Tensor3D, Tensor3D, Tensor4D];

const numbers = (count: number, salt: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => 3 * Math.sin(salt + 1.7 * i + 0.01 * i * (i % 13)));

function inputsOf([batch, n, width, heads, groups]: Size): Inputs {
  const tokens = (salt: number): Tensor3D => tf.tensor3d(numbers(batch * n * width, salt), [batch, n, width]);
  return [tokens(1), tokens(2), tokens(3), tf.tensor4d(numbers(groups * heads * n * n, 4), [groups, heads, n, n])];
}

async function reference([batch, n, width, heads, groups]: Size, inputs: Inputs): Promise<number[]> {
  const [query, key, value, bias] = await Promise.all(inputs.map((x) => x.data()));
  const size = width / heads;
  const out = new Array<number>(batch * n * width).fill(0);
  const place = (b: number, i: number, h: number, c: number): number => (b * n + i) * width + h * size + c;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < n; i++) {
        const scores = Array.from({ length: n }, (_, j) => {
          let sum = 0;
          for (let c = 0; c < size; c++) sum += query![place(b, i, h, c)]! * key![place(b, j, h, c)]!;
          return sum / Math.sqrt(size) + bias![((b % groups * heads + h) * n + i) * n + j]!;
        });
        const top = Math.max(...scores);
        const parts = scores.map((score) => Math.exp(score - top));
        const total = parts.reduce((a, b) => a + b);
        parts.forEach((part, j) => {
          for (let c = 0; c < size; c++) out[place(b, i, h, c)]! += part / total * value![place(b, j, h, c)]!;
        });
      }
    }
  }
  return out;
}

testOnBackends("biasedAttention() equals sums in float64, each sample with its group's bias", async () => {
  for (const size of SIZES) {
    const inputs = inputsOf(size);
    const [query, key, value, bias] = inputs;
    const wanted = await reference(size, inputs);
    await noLeak(async () => {
      const context = biasedAttention([query, key, value], bias);
      await assertNear(context, wanted, 2e-5, `${size}`);
      context.dispose();
    });
  }
});

testOnBackends("biasedAttention() has the gradients of its steps by query, key, value and bias", async () => {
  for (const size of SIZES) {
    const inputs = inputsOf(size);
    const gradients = (f: typeof biasedAttention): Tensor[] => {
      const [query, key, value, bias] = inputs;
      const sum = (): Scalar => tf.tidy(() => tf.sum(tf.square(f([query, key, value], bias))) as Scalar);
      return gradientsOf(sum, inputs).grads as Tensor[];
    };
    const [own, steps] = [gradients(biasedAttention), gradients(biasedAttentionInSteps)];
    for (const [i, name] of ["query", "key", "value", "bias"].entries()) {
      const [scale] = await tf.max(tf.abs(steps[i]!)).data();
      await assertClose(tf.div(own[i]!, scale!), tf.div(steps[i]!, scale!), 2e-5, `${name}, ${size}`);
    }
  }
});
