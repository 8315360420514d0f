import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals } from "@std/assert";
import { aceHgnn, aceHgnnDense, chosenHyperedges } from "../../lib/hypergraph/ace_hgnn.ts";
import { l2Normalise } from "../../lib/tensor/kernels/l2_normalise/api.ts";
import { topKMask } from "../../lib/tensor/ops.ts";
import { namedTensors } from "../../lib/tensor/params.ts";
import type { Tensor } from "../../lib/tensor/types.ts";
import { testOnBackends } from "../backends.ts";
import { assertParity, below, type Fixture, pick, readCard, readFixture, toTensor } from "./fixtures.ts";
import { gradientsOf, hgnnParams } from "./tiny_model.ts";

const weights = await readFixture("weights");
const cases = await readFixture("cases");
const edgeCases = await readFixture("cases_hgnn");
const card = await readCard();

/** Members of the hyperedges that reach the CLS node, by the reference's indices (token 0 = CLS), in ascending order. */
function expectedMembers({ shape: [batch = 0, size = 0, k = 0], data }: ReturnType<typeof pick>): number[][][] {
  const row = (sample: number, node: number): number[] => {
    const start = (sample * size + node) * k;
    return [...data.slice(start, start + k)].filter((j) => j >= 0);
  };
  return Array.from(
    { length: batch },
    (_, b) => [row(b, 0), ...row(b, 0).toSorted((i, j) => i - j).map((i) => row(b, i))],
  )
    .map((edges) => edges.map((members) => members.toSorted((i, j) => i - j)));
}

async function actualMembers(tokens: tf.Tensor3D, affinity: tf.Tensor2D, topK: number): Promise<number[][][]> {
  const edges = await chosenHyperedges(tokens, affinity, topK);
  return edges.map(([cls, ...rest]) =>
    [cls!, ...rest.toSorted((a, b) => Number(a.source) - Number(b.source))]
      .map(({ members }) => members.map((j) => j + 1).toSorted((i, j) => i - j))
  );
}

for (const encoder of ["visual", "text"]) {
  testOnBackends(
    `aceHgnnDense(), aceHgnn() match PyTorch on the ${encoder} tokens: choice, A, every node, features`,
    async () => {
      const part = below(cases, `hgnn.${encoder}.`);
      const params = hgnnParams(weights, `hgnn.${encoder}`);
      const x = toTensor(part, "x") as tf.Tensor3D;
      const affinity = toTensor(part, "affinity") as tf.Tensor2D;
      const { nodes, incidence } = aceHgnnDense(params, x, affinity, 3);
      await assertParity(incidence, pick(part, "A"), { name: "A" });
      await assertParity(nodes, pick(part, "Y"), { name: "Y" });
      await assertParity(l2Normalise(aceHgnn(params, x, affinity, 3)), pick(part, "features"), { name: "features" });
      assertEquals(await actualMembers(x, affinity, 3), expectedMembers(pick(part, "indices")));
    },
  );
}

testOnBackends(
  "topKMask() takes the lowest indices of tied entries: 253 pads after 2 real tokens, a row all equal",
  async () => {
    const padded = Array.from({ length: 255 }, (_, j) => j === 1 ? 0.6 : j === 4 ? 0.3 : 0);
    const { mask, indices } = topKMask(tf.tensor2d([padded, new Array(255).fill(0.125)]), 5);
    assertEquals([...await indices.data()], [1, 4, 0, 2, 3, 0, 1, 2, 3, 4]);
    const kept = [...await mask.data()].flatMap((value, j) => value === 1 ? [j % 255] : []);
    assertEquals(kept, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
  },
);

for (const name of Object.keys(card.hgnn_cases)) {
  const notes = card.hgnn_cases[name];
  const part = below(edgeCases, `${name}.`);
  const settled = notes.rows_determined === notes.rows;

  testOnBackends(
    `aceHgnn() matches PyTorch in the case "${name}", with gradients of weights, tokens, affinity`,
    async () => {
      await checkCase(
        part,
        settled,
        new Set(notes.gradients_depend_on_ties),
        (params, x, affinity, topK) => aceHgnn(params, x, affinity, topK),
      );
    },
  );

  testOnBackends(
    `aceHgnnDense() matches PyTorch in the case "${name}", with gradients of weights, tokens, affinity`,
    async () => {
      await checkCase(part, settled, new Set(notes.gradients_depend_on_ties), (params, x, affinity, topK) => {
        const { nodes } = aceHgnnDense(params, x, affinity, topK);
        return tf.reshape(tf.slice(nodes, [0, 0, 0], [nodes.shape[0], 1, nodes.shape[2]]), [
          nodes.shape[0],
          nodes.shape[2],
        ]);
      });
      if (!settled) return; // A and Y of rows that a tie between copies of a token decides have no one right value
      const params = hgnnParams(edgeCases, "hgnn");
      const { nodes, incidence } = aceHgnnDense(
        params,
        toTensor(part, "x") as tf.Tensor3D,
        toTensor(part, "affinity") as tf.Tensor2D,
        pick(part, "k").data[0]!,
      );
      await assertParity(incidence, pick(part, "A"), { name: "A" });
      await assertParity(nodes, pick(part, "Y"), { name: "Y" });
    },
  );
}

async function checkCase(
  part: Fixture,
  settled: boolean,
  tieDependent: ReadonlySet<string>,
  run: (params: ReturnType<typeof hgnnParams>, x: tf.Tensor3D, affinity: tf.Tensor2D, topK: number) => tf.Tensor2D,
): Promise<void> {
  const topK = pick(part, "k").data[0]!;
  const tree = {
    hgnn: hgnnParams(edgeCases, "hgnn"),
    tokens: toTensor(part, "tokens") as tf.Tensor3D,
    affinity: toTensor(part, "affinity") as tf.Tensor2D,
  };
  const features = l2Normalise(run(tree.hgnn, l2Normalise(tree.tokens), tree.affinity, topK));
  await assertParity(features, pick(part, "features"), { name: "features" });
  if (settled) {
    const indices = expectedMembers(pick(part, "indices"));
    assertEquals(await actualMembers(l2Normalise(tree.tokens), tree.affinity, topK), indices);
  }
  const upstream = toTensor(part, "upstream");
  const { gradients } = gradientsOf(
    tree,
    namedTensors(tree) as Map<string, Tensor>,
    (t) => tf.sum(tf.mul(l2Normalise(run(t.hgnn, l2Normalise(t.tokens), t.affinity, topK)), upstream)) as tf.Scalar,
  );
  let compared = 0;
  for (const [leaf, gradient] of gradients) {
    if (!settled && tieDependent.has(`grad.${leaf}`)) continue;
    await assertParity(gradient, pick(part, `grad.${leaf}`), { name: `gradient of ${leaf}` });
    compared++;
  }
  assert(compared >= 8, `only ${compared} gradients compared`);
}
