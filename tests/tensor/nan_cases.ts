/** That a NaN is not lost on the way, on whichever backend and driver; each body frees what it makes. @module */
import { assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { aceHgnn, initAceHgnn } from "../../lib/hypergraph/ace_hgnn.ts";
import { infoNce } from "../../lib/losses/info_nce.ts";
import { queryAffinity } from "../../lib/nn/attention.ts";
import { attention } from "../../lib/tensor/kernels/attention/api.ts";
import { gelu } from "../../lib/tensor/kernels/gelu/api.ts";
import { l2Normalise } from "../../lib/tensor/kernels/l2_normalise/api.ts";
import { layerNorm } from "../../lib/tensor/kernels/layer_norm/api.ts";
import { topKSoftmax } from "../../lib/tensor/kernels/top_k_softmax/api.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import type { Scalar, Tensor, Tensor2D, Tensor3D } from "../../lib/tensor/types.ts";

/** Numbers of which the one at `place` is not one. */
function spoilt(shape: number[], place: number): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(Float32Array.from({ length: size }, (_, i) => i === place ? NaN : Math.sin(i)), shape);
}

/** Which of the rows of the given width have a NaN everywhere, somewhere or nowhere. */
async function nanRows(x: Tensor, width: number): Promise<string> {
  const values = await x.data();
  return Array.from({ length: values.length / width }, (_, i) => {
    const row = values.subarray(i * width, (i + 1) * width);
    return row.every(Number.isNaN) ? "N" : row.some(Number.isNaN) ? "n" : ".";
  }).join("");
}

async function rowsAndElements(): Promise<void> {
  const x = spoilt([4, 8], 9);
  const [gain, bias] = [tf.ones([8]), tf.zeros([8])] as [tf.Tensor1D, tf.Tensor1D];
  const dy = tf.ones([4, 8]);
  const identity = tf.eye(8);
  const results: [string, string, () => Tensor][] = [
    ["l2Normalise", ".N..", () => l2Normalise(x)],
    ["l2Normalise'", ".N..", () => tf.grad((t: Tensor) => l2Normalise(t))(x, dy)],
    ["layerNorm", ".N..", () => layerNorm(x, gain, bias, 1e-5)],
    ["layerNorm'", ".N..", () => tf.grad((t: Tensor) => layerNorm(t, gain, bias, 1e-5))(x, dy)],
    ["gelu", ".n..", () => gelu(x)],
    ["gelu'", ".n..", () => tf.grad((t: Tensor) => gelu(t))(x, dy)],
    ["topKSoftmax", ".N..", () => tf.tidy(() => topKSoftmax(x, 3).weights)],
    ["topKSoftmax'", ".N..", () => tf.grad((t: Tensor) => topKSoftmax(t, 3).weights)(x, dy)],
    [
      "fused relu",
      ".N..",
      () =>
        tf.fused.matMul({
          a: x as tf.Tensor2D,
          b: identity,
          bias,
          activation: "relu",
          transposeA: false,
          transposeB: false,
        }),
    ],
  ];
  for (const [name, want, f] of results) {
    const y = f();
    assertEquals(await nanRows(y, 8), want, name);
    y.dispose();
  }
  tf.dispose([x, gain, bias, dy, identity]);
}

async function attentionAndGradients(): Promise<void> {
  for (const tokens of [3, 4, 9]) await attentionOf(tokens); // rows of a part of a vector, a whole one, and more
}

async function attentionOf(tokens: number): Promise<void> {
  const shape: [number, number, number] = [1, tokens, 4];
  const every = "N".repeat(tokens);
  const second = `.N${".".repeat(tokens - 2)}`;
  const whole = spoilt(shape, -1) as Tensor3D;
  const dy = tf.ones(shape) as Tensor3D;
  const run = (q: Tensor, k: Tensor, v: Tensor): Tensor3D =>
    attention(q as Tensor3D, k as Tensor3D, v as Tensor3D, { heads: 1 });
  // One NaN in query 1: its row of the context and of dQuery; every key and value has met that query.
  const spoiltQuery = spoilt(shape, 5);
  const context = run(spoiltQuery, whole, whole);
  const grads = tf.grads(run)([spoiltQuery, whole, whole], dy);
  const reached = [await nanRows(context, 4)];
  for (const grad of grads) reached.push(await nanRows(grad, 4));
  assertEquals(reached, [second, second, every, every]);
  // One NaN in key 1: every query meets it.
  const spoiltKey = spoilt(shape, 5);
  const all = run(whole, spoiltKey, whole);
  assertEquals(await nanRows(all, 4), every);
  tf.dispose([whole, dy, spoiltQuery, context, grads, spoiltKey, all]);
}

async function affinity(): Promise<void> {
  const query = spoilt([1, 1, 8], -1) as Tensor3D;
  const key = spoilt([1, 5, 8], 11) as Tensor3D; // of the second key's first head
  const [probabilities, logits] = (["probabilities", "logits"] as const).map((kind) =>
    queryAffinity(query, key, { heads: 2, kind })
  ) as [Tensor, Tensor];
  assertEquals([...await probabilities.data()].map(Number.isNaN), [true, true, true, true, true]);
  assertEquals([...await logits.data()].map(Number.isNaN), [false, true, false, false, false]);
  for (const x of [query, key, probabilities, logits]) x.dispose();
}

async function hypergraph(): Promise<void> {
  const params = initAceHgnn(8, 4, 1);
  const whole = { tokens: spoilt([2, 10, 8], -1) as Tensor3D, affinity: spoilt([2, 9], -1) as Tensor2D };
  for (
    const [name, given] of Object.entries({
      "a small affinity": { ...whole, affinity: spoilt([2, 9], 5) as Tensor2D }, // sin(5) is none of the largest
      "a token": { ...whole, tokens: spoilt([2, 10, 8], 25) as Tensor3D },
    })
  ) {
    const y = aceHgnn(params, given.tokens, given.affinity, 3);
    assertEquals(await nanRows(y, 8), "N.", name);
    y.dispose();
    for (const [kind, x] of Object.entries(given)) if (x !== whole[kind as keyof typeof whole]) x.dispose();
  }
  disposeParams(params);
  tf.dispose([whole.tokens, whole.affinity]);
}

async function loss(): Promise<void> {
  const [image, text] = [spoilt([3, 4], 5), spoilt([3, 4], -1)] as [Tensor2D, Tensor2D];
  const scale = tf.scalar(10);
  const of = (v: Tensor2D, t: Tensor2D): Scalar => infoNce(v, t, scale);
  const [value, dImage, dText] = [of(image, text), ...tf.grads(of as (...xs: Tensor[]) => Scalar)([image, text])];
  // The row of products is in every column's sum.
  for (const x of [value, dImage!, dText!]) assertEquals(await nanRows(x, x.size), "N");
  tf.dispose([image, text, scale, value, dImage!, dText!]);
}

/** Name and body of each test. */
export const NAN_CASES: readonly (readonly [name: string, body: () => Promise<void>])[] = [
  [
    "a NaN reaches what is computed from it: rows of unit length, LayerNorm, GELU, top-k, fused ReLU",
    rowsAndElements,
  ],
  ["a NaN reaches what attention computes from it, and its gradients", attentionAndGradients],
  ["a NaN in one key reaches every probability of one query's attention, and that key's logit alone", affinity],
  ["a NaN in an affinity or a token reaches aceHgnn()'s result for that sample", hypergraph],
  ["a NaN in one feature reaches infoNce() and its gradients", loss],
];
