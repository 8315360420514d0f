import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { aceLoraModel, countTrainable, initAceLora } from "../../lib/ace_lora.ts";
import { initClip } from "../../lib/clip/params.ts";
import { ACE_LORA_HGNN, aceHgnnDense, type AceHgnnParams, type HgnnAffinity } from "../../lib/hypergraph/ace_hgnn.ts";
import { clsScores, hypergraph, initHgnn } from "../../lib/hypergraph/affinities.ts";
import type { GatHgnnParams } from "../../lib/hypergraph/gat.ts";
import type { Gatv2HgnnParams } from "../../lib/hypergraph/gatv2.ts";
import { aceLoraMethod } from "../../lib/peft/ace_lora/method.ts";
import { disposeParams, namedTensors } from "../../lib/tensor/params.ts";
import type { Scalar, Tensor1D, Tensor2D, Tensor3D } from "../../lib/tensor/types.ts";
import { fit } from "../../lib/train/fit.ts";
import { valueAndGradients } from "../../lib/tensor/gradients.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose, largestDifference, noLeak } from "../close.ts";
import { assertParity, type Fixture, pick, readFixture, toTensor } from "../parity/fixtures.ts";
import { hgnnParams } from "../parity/tiny_model.ts";
import { SMALL, SMALL_ACE, smallIds, smallPixels, smallSource } from "../small_model.ts";

const FIXTURE: Fixture = await readFixture("../../hypergraph/fixtures/affinities");
const TOP_K = 3;
const KINDS: HgnnAffinity[] = ["attention", "gat", "gatv2", "similarity"];

/** The fixture's weights, with the vectors of one kind. */
function paramsOf(kind: HgnnAffinity): AceHgnnParams {
  const vector = (name: string): Tensor1D => toTensor(FIXTURE, `weights.${name}`) as Tensor1D;
  const base = hgnnParams(FIXTURE, "weights");
  if (kind === "gat") {
    return { ...base, gat: { source: vector("gat.source"), target: vector("gat.target") } } as GatHgnnParams;
  }
  if (kind === "gatv2") return { ...base, gatv2: { attention: vector("gatv2.attention") } } as Gatv2HgnnParams;
  return base;
}

/** Tokens and affinity; the attention's last sample would have pads as members, which the reference leaves out. */
function inputs(kind: HgnnAffinity): { tokens: Tensor3D; affinity: Tensor2D; upstream: Tensor2D } {
  const rows = <T extends tf.Tensor>(name: string): T => {
    const all = toTensor(FIXTURE, name);
    return (kind === "attention" ? tf.slice(all, 0, all.shape[0]! - 1) : all) as T;
  };
  return { tokens: rows("tokens"), affinity: rows("affinity"), upstream: rows("upstream") };
}

for (const kind of KINDS) {
  testOnBackends(
    `hypergraph() with ${kind} affinities matches PyTorch: scores, sparse and dense features, gradients`,
    async () => {
      const params = paramsOf(kind);
      const { tokens, affinity, upstream } = inputs(kind);
      const scores = clsScores(params, tokens, affinity, { affinity: kind });
      if (kind === "attention") await assertClose(scores, affinity, 0, "scores");
      else await assertParity(scores, pick(FIXTURE, `${kind}.scores`), { name: "scores", tolerance: 1e-5 });
      const expected = pick(FIXTURE, `${kind}.features`);
      const config = { topK: TOP_K, affinity: kind };
      await assertParity(hypergraph(params, tokens, affinity, config), expected, { name: "sparse", tolerance: 2e-5 });
      const { nodes } = aceHgnnDense(params, tokens, scores, TOP_K);
      const dense = tf.squeeze(tf.slice(nodes, [0, 0, 0], [-1, 1, -1]), [1]);
      await assertParity(dense, expected, { name: "dense", tolerance: 2e-5 });
      const tree = { params, tokens };
      const { gradients } = valueAndGradients(
        tree,
        [...namedTensors(tree).keys()],
        () => tf.tidy(() => tf.sum(tf.mul(hypergraph(params, tokens, affinity, config), upstream)) as Scalar),
      );
      for (const [leaf, gradient] of gradients) {
        let reference = pick(FIXTURE, `${kind}.grad.${leaf.replace("params.", "")}`);
        if (kind === "attention" && leaf === "tokens") {
          reference = { ...reference, shape: tokens.shape, data: reference.data.slice(0, tokens.size) };
        }
        const tolerance = 1e-5 * Math.max(1, ...[...reference.data].map(Math.abs));
        await assertParity(gradient, reference, { name: leaf, tolerance });
      }
    },
  );
}

testOnBackends("a token the attention does not reach is no member: its numbers change no feature", async () => {
  const { tokens, affinity } = inputs("gat");
  // The third sample has 4 real tokens and 3 pads; the CLS hyperedge has k = 3 members, all of them real.
  for (const kind of ["gat", "gatv2", "similarity"] as const) {
    const params = paramsOf(kind);
    const scores = await clsScores(params, tokens, affinity, { affinity: kind }).data();
    const row = [...scores.slice(14, 21)];
    assertEquals(row.map((x) => x < -1e8), [false, false, false, false, true, true, true]);
  }
});

testOnBackends(
  "hypergraph() weighs by hand: cosine prefers the aligned token, GATv2 depends on CLS where GAT does not",
  async () => {
    const one = tf.ones([1, 3]) as Tensor2D;
    const tokens = (cls: number[]): Tensor3D => tf.tensor3d([[cls, [1, 0], [0, 1], [-1, 0]]]) as Tensor3D;
    // cos((2, 0), ·) = 1, 0, -1
    const cosine = clsScores(paramsOf("similarity"), tokens([2, 0]), one, { affinity: "similarity" });
    assertEquals([...await cosine.data()], [1, 0, -1]);
    const down = { weight: tf.eye(2) as Tensor2D, bias: tf.zeros([2]) as Tensor1D };
    const edge = { down, up: down };
    // aₛ = (1, 0), aₜ = (0, 2): 1·x_0 + 2·y_j, leaky below 0
    const gat = {
      edge,
      node: edge,
      gat: { source: tf.tensor1d([1, 0]), target: tf.tensor1d([0, 2]) },
    } as GatHgnnParams;
    const first = await clsScores(gat, tokens([2, 0]), one, { affinity: "gat" }).data();
    assertEquals([...first], [2, 4, 2]);
    const second = await clsScores(gat, tokens([-3, 0]), one, { affinity: "gat" }).data();
    await assertClose(tf.tensor1d(second), tf.tensor1d([-0.6, -0.2, -0.6]), 1e-6, "leaky");
    // a = (1, 1): the sum of the leaky coordinates of x_0 + x_j
    const gatv2 = { edge, node: edge, gatv2: { attention: tf.tensor1d([1, 1]) } } as Gatv2HgnnParams;
    const third = await clsScores(gatv2, tokens([2, -1]), one, { affinity: "gatv2" }).data(); // (3,-1) (2,0) (1,-1)
    await assertClose(tf.tensor1d(third), tf.tensor1d([2.8, 2, 0.8]), 1e-6, "dynamic");
  },
);

testOnBackends(
  "initAceLora() with every affinity: same bottlenecks, counted, trained three steps, nothing leaks",
  async () => {
    const base = initClip(SMALL, 1);
    const source = await smallSource(12);
    const plain = countTrainable(await initAceLora(base, SMALL_ACE));
    const extra: Record<HgnnAffinity, number> = { attention: 0, gat: 2 * 2 * 4, gatv2: 2 * 4, similarity: 0 };
    const reference = namedTensors(initHgnn({ hidden: 4 }, 8));
    for (const affinity of KINDS) {
      for (const [name, x] of namedTensors(initHgnn({ hidden: 4, affinity }, 8))) {
        if (reference.has(name)) await assertClose(x, reference.get(name)!, 0, name);
      }
      await noLeak(async () => {
        const config = { ...SMALL_ACE, hgnn: { ...SMALL_ACE.hgnn!, affinity } };
        const model = aceLoraModel(config);
        const start = await initAceLora(base, config);
        assertEquals(countTrainable(start), plain + extra[affinity], affinity);
        const { params } = await fit(model, start, source, {
          epochs: 1,
          batchSize: 4,
          learningRate: 1e-2,
          warmupEpochs: 0,
        });
        for (const name of ["gat.source", "gat.target", "gatv2.attention"]) {
          const leaf = `hgnn.text.${name}`;
          const before = namedTensors(start).get(leaf);
          assertEquals(before !== undefined, name.startsWith(`${affinity}.`));
          if (before) assert(await largestDifference(namedTensors(params).get(leaf)!, before) > 0, leaf);
        }
        disposeParams(start, params);
        disposeParams(params, base);
      });
    }
  },
);

testOnBackends(
  "the affinities give different features from the same weights, ACE-LoRA's default the paper's",
  async () => {
    const base = initClip(SMALL, 1);
    const [pixels, ids] = [smallPixels(4), smallIds(4)];
    const features = new Map<string, [Tensor2D, Tensor2D]>();
    for (const affinity of [undefined, ...KINDS]) {
      const config = { ...SMALL_ACE, hgnn: { ...SMALL_ACE.hgnn!, ...(affinity ? { affinity } : {}) } };
      const [model, params] = [aceLoraModel(config), await initAceLora(base, config)];
      features.set(String(affinity), [model.imageFeatures(params, pixels), model.textFeatures(params, ids)]);
    }
    const [image, text] = features.get("attention")!;
    await assertClose(features.get("undefined")![0], image, 0, "default");
    await assertClose(features.get("undefined")![1], text, 0, "default");
    for (const kind of ["gat", "gatv2", "similarity"]) {
      assert(await largestDifference(features.get(kind)![0], image) > 1e-4, `${kind}: image`);
      assert(await largestDifference(features.get(kind)![1], text) > 1e-4, `${kind}: text`);
    }
  },
);

testOnBackends("aceLoraMethod() with another affinity adds its vectors alone; an unknown one is refused", async () => {
  const base = initClip(SMALL, 1);
  for (const kind of KINDS) {
    const method = aceLoraMethod(SMALL, { hgnn: { ...ACE_LORA_HGNN, hidden: 2, affinity: kind } });
    const names = [...namedTensors(await method.prepare(base)).keys()].filter((name) => method.model.isTrainable(name));
    const vectors = names.filter((name) => /\.gat(v2)?\./.test(name));
    assertEquals(vectors.length, { attention: 0, gat: 4, gatv2: 2, similarity: 0 }[kind]);
  }
  assertThrows(
    () => initHgnn({ hidden: 4, affinity: "magic" as "gat" }, 8),
    RangeError,
    'attention, gat, gatv2, similarity: current value is "magic"',
  );
});
