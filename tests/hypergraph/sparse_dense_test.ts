import * as tf from "@tensorflow/tfjs";
import { assertEquals, assertThrows } from "@std/assert";
import { aceHgnn, aceHgnnDense, chosenHyperedges, initAceHgnn } from "../../lib/hypergraph/ace_hgnn.ts";
import { normal } from "../../lib/tensor/init.ts";
import { l2Normalise } from "../../lib/tensor/kernels/l2_normalise/api.ts";
import { namedTensors } from "../../lib/tensor/params.ts";
import type { Scalar, Tensor2D, Tensor3D } from "../../lib/tensor/types.ts";
import { valueAndGradients } from "../../lib/tensor/gradients.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose, noLeak } from "../close.ts";

const E = 8;

interface Inputs {
  tokens: Tensor3D;
  affinity: Tensor2D;
}

function random(nodes: number, batch = 3): Inputs {
  return {
    tokens: l2Normalise(normal([batch, nodes + 1, E], 1, 11, `tokens ${nodes}`)) as Tensor3D,
    affinity: normal([batch, nodes], 1, 11, `affinity ${nodes}`) as Tensor2D,
  };
}

/** Two copies of each token, so that similarities tie. */
function tied(nodes: number): Inputs {
  const { tokens, affinity } = random(nodes);
  const cls = tf.slice(tokens, [0, 0, 0], [-1, 1, -1]);
  const local = tf.slice(tokens, [0, 1, 0], [-1, nodes, -1]);
  return {
    tokens: tf.concat([cls, local, local], 1) as Tensor3D,
    affinity: tf.concat([affinity, affinity], 1) as Tensor2D,
  };
}

const CASES: Record<string, { make: () => Inputs; topK: number }> = {
  "random tokens, k = 5 of 20": { make: () => random(20), topK: 5 },
  "k = 1": { make: () => random(7), topK: 1 },
  "k = N": { make: () => random(4), topK: 4 },
  "k over N": { make: () => random(3), topK: 9 },
  "one token": { make: () => random(1), topK: 5 },
  "a batch of one": { make: () => random(6, 1), topK: 3 },
  "tied tokens": { make: () => tied(6), topK: 3 },
  "identical tokens and equal attention": {
    make: () => ({ tokens: l2Normalise(tf.ones([2, 7, E])) as Tensor3D, affinity: tf.ones([2, 6]) as Tensor2D }),
    topK: 3,
  },
  "attention of exactly 0 on pads": {
    make: () => ({
      ...random(9),
      affinity: tf.tensor2d([1, 2, 3].flatMap((x) => [x / 9, 0.1, 0, 0, 0, 0, 0, 0, 0]), [3, 9]) as Tensor2D,
    }),
    topK: 5,
  },
};

for (const [name, { make, topK }] of Object.entries(CASES)) {
  testOnBackends(`aceHgnn() equals row 0 of aceHgnnDense() in value and gradient: ${name}`, async () => {
    const params = initAceHgnn(E, 4, 2);
    const inputs = make();
    const weights = normal([inputs.tokens.shape[0], E], 1, 4, "weights");
    const tree = { params, inputs };
    const names = [...namedTensors(tree).keys()];
    const sparse = (): Tensor2D => aceHgnn(params, inputs.tokens, inputs.affinity, topK);
    const dense = (): Tensor2D => {
      const { nodes } = aceHgnnDense(params, inputs.tokens, inputs.affinity, topK);
      return tf.reshape(tf.slice(nodes, [0, 0, 0], [-1, 1, -1]), [nodes.shape[0], E]) as Tensor2D;
    };
    await assertClose(sparse(), dense(), 1e-5, "value");
    const gradients = [sparse, dense].map((form) =>
      valueAndGradients(tree, names, () => tf.sum(tf.mul(form(), weights)) as Scalar).gradients
    );
    for (const leaf of names) await assertClose(gradients[0]!.get(leaf)!, gradients[1]!.get(leaf)!, 1e-5, leaf);
  });
}

testOnBackends("aceHgnn() has the gradients that central differences give", async () => {
  const params = initAceHgnn(E, 4, 2);
  const { tokens, affinity } = random(6, 1);
  const f = (x: Tensor3D, a: Tensor2D): Scalar => tf.sum(aceHgnn(params, x, a, 3)) as Scalar;
  const [dTokens, dAffinity] = tf.grads((x, a) => f(x as Tensor3D, a as Tensor2D))([tokens, affinity]);
  const slope = async (of: "tokens" | "affinity", at: number): Promise<number> => {
    const base = of === "tokens" ? tokens : affinity;
    const bump = (by: number): tf.Tensor =>
      tf.add(base, tf.tensor(Array.from({ length: base.size }, (_, i) => i === at ? by : 0), base.shape));
    const value = async (by: number): Promise<number> =>
      (await (of === "tokens" ? f(bump(by) as Tensor3D, affinity) : f(tokens, bump(by) as Tensor2D)).data())[0]!;
    return (await value(5e-3) - await value(-5e-3)) / 1e-2;
  };
  const [tokenSlopes, affinitySlopes] = [await dTokens!.data(), await dAffinity!.data()];
  for (const at of [0, 5, 19, 40]) await assertNear(tokenSlopes[at]!, await slope("tokens", at));
  for (const at of [0, 2, 5]) await assertNear(affinitySlopes[at]!, await slope("affinity", at));
});

function assertNear(actual: number, expected: number): Promise<void> {
  if (Math.abs(actual - expected) > 5e-3 * Math.max(1, Math.abs(expected))) {
    throw new Error(`${actual} is not ${expected}`);
  }
  return Promise.resolve();
}

testOnBackends("chosenHyperedges() gives CLS first, then its members, without CLS among them", async () => {
  const { tokens, affinity } = random(10, 2);
  await noLeak(async () => {
    const edges = await chosenHyperedges(tokens, affinity, 3);
    const ranked = await affinity.data();
    edges.forEach((sample, i) => {
      assertEquals(sample.map(({ source }) => source), [null, ...sample[0]!.members]);
      const order = [...ranked.subarray(10 * i, 10 * i + 10)].map((x, j) => [x, j] as const).sort((a, b) =>
        b[0] - a[0]
      );
      assertEquals(sample[0]!.members, order.slice(0, 3).map(([, j]) => j));
      for (const { members, source } of sample) {
        assertEquals([members.length, members.includes(source ?? -1)], [3, false]);
      }
    });
  });
});

testOnBackends("aceHgnn() refuses an affinity of another length", () => {
  const { tokens } = random(5);
  const { affinity } = random(6);
  assertThrows(() => aceHgnn(initAceHgnn(E, 4, 2), tokens, affinity, 3), TypeError, "current shape is [3,6]");
  return Promise.resolve();
});

Deno.test("initAceHgnn() starts biases as nn.Linear does: uniform within one over the root of the fan-in", async () => {
  const { edge, node } = initAceHgnn(512, 128, 1);
  const seen = new Set<string>();
  for (const { down, up } of [edge, node]) {
    for (const [bias, fanIn] of [[down.bias!, 512], [up.bias!, 128]] as const) {
      const values = [...await bias.data()];
      const bound = 1 / Math.sqrt(fanIn);
      const largest = Math.max(...values.map(Math.abs));
      assertEquals(largest <= bound && largest > 0.95 * bound, true, `${largest} of ${bound}`);
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      assertEquals(Math.abs(mean) < 0.2 * bound, true, `mean ${mean}`);
      seen.add(values.slice(0, 4).join());
    }
  }
  assertEquals(seen.size, 4);
});
