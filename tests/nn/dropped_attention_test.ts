import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals } from "@std/assert";
import { textTower } from "../../lib/clip/towers/text.ts";
import { initClip } from "../../lib/clip/params.ts";
import { imageTower } from "../../lib/clip/towers/image.ts";
import { injectLora } from "../../lib/peft/lora/inject.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { droppedAttention } from "../../lib/nn/dropped_attention.ts";
import { dropoutHash } from "../../lib/tensor/kernels/dropout/cpu.ts";
import { attention } from "../../lib/tensor/kernels/attention/api.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import type { Scalar, Tensor, Tensor2D, Tensor3D } from "../../lib/tensor/types.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose, largestDifference, noLeak } from "../close.ts";
import { SMALL, smallIds, smallPixels } from "../small_model.ts";

const HEADS = 2;

interface Sizes {
  batch: number;
  queries: number;
  keys: number;
  width: number;
}

function numbers(shape: [number, number, number], seed: number): Tensor3D {
  const next = mulberry32(seed);
  const values = Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, () => 2 * next() - 1);
  return tf.tensor3d(values, shape) as Tensor3D;
}

/** The definition, in float64: softmax, the mask of each probability's flat index, product with the values. */
function definition(
  [q, k, v]: readonly ArrayLike<number>[],
  { batch, queries, keys, width }: Sizes,
  how: { rate: number; seed: number; seen: (b: number, i: number, j: number) => boolean },
): Float64Array {
  const w = width / HEADS;
  const out = new Float64Array(batch * queries * width);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < HEADS; h++) {
      for (let i = 0; i < queries; i++) {
        const exps = Array.from({ length: keys }, (_, j) => {
          if (!how.seen(b, i, j)) return 0;
          let dot = 0;
          for (let c = h * w; c < (h + 1) * w; c++) {
            dot += q![(b * queries + i) * width + c]! * k![(b * keys + j) * width + c]!;
          }
          return Math.exp(dot / Math.sqrt(w));
        });
        const sum = exps.reduce((x, y) => x + y, 0);
        for (let j = 0; j < keys; j++) {
          const place = ((b * HEADS + h) * queries + i) * keys + j;
          if (dropoutHash(place, how.seed) < how.rate * 2 ** 32) continue;
          const p = exps[j]! / sum / (1 - how.rate);
          for (let c = h * w; c < (h + 1) * w; c++) {
            out[(b * queries + i) * width + c]! += p * v![(b * keys + j) * width + c]!;
          }
        }
      }
    }
  }
  return out;
}

testOnBackends(
  "droppedAttention() is its definition, and has its gradients by finite differences: pads, causal, fewer queries",
  async () => {
    const keyMask = tf.tensor2d([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], [2, 5]) as Tensor2D;
    const padded = (b: number, _: number, j: number): boolean => b === 0 || j < 3;
    for (
      const { queries, causal, masked } of [
        { queries: 5, causal: false, masked: false },
        { queries: 5, causal: true, masked: true },
        { queries: 1, causal: false, masked: true },
      ]
    ) {
      const sizes: Sizes = { batch: 2, queries, keys: 5, width: 6 };
      const seen = (b: number, i: number, j: number): boolean => (!masked || padded(b, i, j)) && (!causal || j <= i);
      const drop = { rate: 0.4, seed: 77 };
      const given = [numbers([2, queries, 6], 1), numbers([2, 5, 6], 2), numbers([2, 5, 6], 3)] as const;
      const weights = numbers([2, queries, 6], 4);
      const options = { heads: HEADS, causal, drop, ...(masked ? { keyMask } : {}) };
      const values = await Promise.all(given.map((x) => x.data()));
      const what = `${queries} queries, causal ${causal}, pads ${masked}`;
      await noLeak(async () => {
        const y = droppedAttention(...given, options);
        const expected = tf.tensor3d(Float32Array.from(definition(values, sizes, { ...drop, seen })), y.shape);
        await assertClose(y, expected, 2e-6, what);
        tf.dispose([y, expected]);
      });
      const loss = (...x: Tensor[]): Scalar =>
        tf.sum(tf.mul(droppedAttention(...x as [Tensor3D, Tensor3D, Tensor3D], options), weights)) as Scalar;
      const weight = await weights.data();
      const exact = (all: readonly ArrayLike<number>[]): number =>
        definition(all, sizes, { ...drop, seen }).reduce((sum, y, i) => sum + y * weight[i]!, 0);
      const gradients = tf.grads(loss)([...given]);
      for (const [which, gradient] of gradients.entries()) {
        const at = values.map((x) => Float64Array.from(x));
        const expected = Float32Array.from(at[which]!, (x, i) => {
          const sides = [1e-5, -1e-5].map((h) => {
            at[which]![i] = x + h;
            return exact(at);
          });
          at[which]![i] = x;
          return (sides[0]! - sides[1]!) / 2e-5;
        });
        await assertClose(gradient, tf.tensor(expected, gradient.shape), 5e-6, `gradient ${which}, ${what}`);
      }
    }
  },
);

testOnBackends("droppedAttention() at rate 0 is attention(), a text without any key included", async () => {
  const given = [numbers([2, 4, 6], 1), numbers([2, 4, 6], 2), numbers([2, 4, 6], 3)] as const;
  const keyMask = tf.tensor2d([[1, 1, 0, 0], [0, 0, 0, 0]], [2, 4]) as Tensor2D;
  const plain = { heads: HEADS, keyMask };
  const dropped = { ...plain, drop: { rate: 0, seed: 1 } };
  await assertClose(droppedAttention(...given, dropped), attention(...given, plain), 1e-6, "context");
  const gradients = (f: (...x: [Tensor3D, Tensor3D, Tensor3D]) => Tensor3D): Tensor[] =>
    tf.grads((...x: Tensor[]) => tf.sum(tf.square(f(...x as [Tensor3D, Tensor3D, Tensor3D]))))([...given]);
  const expected = gradients((...x) => attention(...x, plain));
  for (const [i, gradient] of gradients((...x) => droppedAttention(...x, dropped)).entries()) {
    await assertClose(gradient, expected[i]!, 2e-6, `gradient ${i}`);
  }
});

Deno.test("droppedAttention() has the expectation of attention()", async () => {
  await tf.setBackend("cpu");
  const given = [numbers([1, 3, 4], 5), numbers([1, 3, 4], 6), numbers([1, 3, 4], 7)] as const;
  const draws = 2000;
  const [sum, squares] = [new Float64Array(12), new Float64Array(12)];
  for (let seed = 0; seed < draws; seed++) {
    const y = droppedAttention(...given, { heads: HEADS, drop: { rate: 0.1, seed } });
    (await y.data()).forEach((x, i) => {
      sum[i]! += x;
      squares[i]! += x * x;
    });
    y.dispose();
  }
  const expected = await attention(...given, { heads: HEADS }).data();
  for (let i = 0; i < 12; i++) {
    const mean = sum[i]! / draws;
    const error = Math.sqrt((squares[i]! / draws - mean ** 2) / draws);
    assert(error > 1e-4, `number ${i} hardly varies`);
    assert(Math.abs(mean - expected[i]!) < 4.5 * error, `number ${i}: ${mean} is not ${expected[i]} (+- ${error})`);
  }
});

testOnBackends(
  "textTower() drops attention probabilities while training, in the layers without LoRA alone",
  async () => {
    const base = initClip(SMALL, 1);
    const ids = smallIds(3);
    const text = { ...SMALL.text, dropout: 0 };
    const run = (attentionDropout: number, more: { seed?: number; params?: typeof base } = {}): Tensor => {
      const { params = base, seed } = more;
      return textTower(params.text.trunk, ids, { ...text, attentionDropout }, seed === undefined ? {} : { seed })
        .tokens;
    };
    const plain = run(0);
    const dropped = run(0.3, { seed: 5 });
    assert(await largestDifference(dropped, plain) > 1e-3, "nothing was dropped");
    await assertClose(run(0.3, { seed: 5 }), dropped, 0, "the same seed");
    assert(await largestDifference(run(0.3, { seed: 6 }), dropped) > 1e-3, "another seed dropped the same");
    await assertClose(run(0.3), plain, 0, "no seed");
    await assertClose(run(0, { seed: 5 }), plain, 0, "no dropout");
    // LoRA without a dropout of its own, its B still zero: the numbers are the frozen model's.
    const lora = { ...ACE_LORA_LORA, dropout: 0 };
    const all = injectLora(base, lora);
    await assertClose(run(0.3, { seed: 5, params: all }), plain, 1e-6, "LoRA in every layer");
    const top = injectLora(base, { ...lora, positions: "top1" });
    assert(await largestDifference(run(0.3, { seed: 5, params: top }), plain) > 1e-3, "a layer without LoRA");
    // `dropout` is both where the other is not given; the ViT has none.
    const both = textTower(base.text.trunk, ids, { ...text, dropout: 0.3 }, { seed: 5 }).tokens;
    const outputs = textTower(base.text.trunk, ids, { ...text, dropout: 0.3, attentionDropout: 0 }, { seed: 5 }).tokens;
    assert(await largestDifference(both, outputs) > 1e-3, "dropout leaves the probabilities alone");
    const pixels = smallPixels(2);
    const image = (seed?: number): Tensor =>
      imageTower(base.vision.trunk, pixels, SMALL.vision, seed === undefined ? {} : { seed }).tokens;
    assertEquals(await largestDifference(image(5), image()), 0);
  },
);
