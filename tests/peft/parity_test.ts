import * as tf from "@tensorflow/tfjs";
import { assertEquals } from "@std/assert";
import { textTower } from "../../lib/clip/towers/text.ts";
import type { TextTrunk } from "../../lib/clip/towers/text.ts";
import { BIOMED_CLIP } from "../../lib/clip/architectures.ts";
import { mergeUpdates } from "../../lib/nn/linear.ts";
import type { TowerBlocks } from "../../lib/nn/towers.ts";
import { injectLora } from "../../lib/peft/lora/inject.ts";
import type { BlockParams } from "../../lib/nn/transformer.ts";
import { injectBottlenecks } from "../../lib/peft/adapter/method.ts";
import { injectDora } from "../../lib/peft/dora/method.ts";
import { featureAdapter } from "../../lib/peft/clip_adapter/layer.ts";
import { IA3, injectIa3 } from "../../lib/peft/ia3/method.ts";
import { LORA } from "../../lib/peft/lora/method.ts";
import { l2Normalise } from "../../lib/tensor/kernels/l2_normalise/api.ts";
import { namedTensors } from "../../lib/tensor/params.ts";
import { testOnBackends } from "../backends.ts";
import { assertParity, type FixtureTensor, pick } from "../parity/fixtures.ts";
import {
  asTowers,
  dot,
  FIXTURE,
  fixtureNames,
  gradients,
  runToy,
  shortName,
  tensor,
  type Tensor2D,
  type Tensor3D,
  toyBlocks,
  withFixtureLeaves,
} from "./toy.ts";

/** Of outputs; gradients are compared relative to the largest number of each, which is up to a few dozen. */
const TOLERANCE = 1e-5;

const relative = ({ data }: FixtureTensor): number => TOLERANCE * Math.max(1, ...[...data].map(Math.abs));

/** As make_fixtures.py configures peft. */
const LOW_RANK = { ...LORA, rank: 2, alpha: 3, dropout: 0 };

interface PeftCase {
  inject: (towers: TowerBlocks) => TowerBlocks;
  trains: RegExp;
}

const CASES: Record<string, PeftCase> = {
  lora: { inject: (t) => injectLora(t, LOW_RANK), trains: /\.lora\./ },
  rslora: { inject: (t) => injectLora(t, { ...LOW_RANK, rankStabilised: true }), trains: /\.lora\./ },
  dora: { inject: (t) => injectDora(t, LOW_RANK), trains: /\.dora\./ },
  ia3: { inject: (t) => injectIa3(t, IA3), trains: /\.ia3\./ },
};

const blocksOf = (towers: TowerBlocks): BlockParams[] => towers.vision.trunk.blocks;

/** Compares the gradients of the input and the leaves with PyTorch's. */
async function assertGradients(name: string, params: TowerBlocks, leaves: readonly string[]): Promise<void> {
  const [x, upstream] = [tensor<Tensor3D>("peft.x"), tensor("peft.upstream")];
  const actual = gradients(
    { params, x },
    ["x", ...leaves.map((leaf) => `params.${leaf}`)],
    () => dot(runToy(blocksOf(params), x).tokens, upstream),
  );
  for (const [leaf, gradient] of actual) {
    const expected = pick(FIXTURE, `${name}.grad.${shortName(leaf.replace("params.", ""))}`);
    await assertParity(gradient, expected, { name: leaf, tolerance: relative(expected) });
  }
}

for (const [name, { inject, trains }] of Object.entries(CASES)) {
  testOnBackends(`${name}: output, gradients and merged weights match peft`, async () => {
    const fresh = inject(asTowers(toyBlocks("base")));
    for (const leaf of fixtureNames(`${name}.fresh.`)) {
      const actual = [...namedTensors(fresh)].find(([path]) => shortName(path) === leaf);
      await assertParity(actual![1], pick(FIXTURE, `${name}.fresh.${leaf}`), {
        name: `fresh ${leaf}`,
        tolerance: 1e-6,
      });
    }
    const params = withFixtureLeaves(fresh, `${name}.leaf`, (leaf) => trains.test(leaf));
    const leaves = [...namedTensors(params).keys()].filter((leaf) => trains.test(leaf));
    assertEquals(leaves.map(shortName).sort(), fixtureNames(`${name}.leaf.`).sort());
    const x = tensor<Tensor3D>("peft.x");
    const { tokens } = runToy(blocksOf(params), x);
    await assertParity(tokens, pick(FIXTURE, `${name}.output`), { name: "output", tolerance: TOLERANCE });
    await assertGradients(name, params, leaves);
    const merged = mergeUpdates(params);
    await assertParity(runToy(blocksOf(merged), x).tokens, pick(FIXTURE, `${name}.output`), {
      name: "merged",
      tolerance: TOLERANCE,
    });
    const base = namedTensors(params);
    const changed = [...namedTensors(merged)].filter(([leaf, t]) => base.get(leaf) !== t);
    assertEquals(changed.map(([leaf]) => shortName(leaf)).sort(), fixtureNames(`${name}.merged.`).sort());
    for (const [leaf, weight] of changed) {
      await assertParity(weight, pick(FIXTURE, `${name}.merged.${shortName(leaf)}`), { name: leaf, tolerance: 1e-6 });
    }
  });
}

testOnBackends("injectBottlenecks(): output and gradients match PyTorch in pre- and post-norm blocks", async () => {
  const fresh = injectBottlenecks(asTowers(toyBlocks("base")), { reduction: 8 / 3, encoders: ["image"] });
  const trains = (leaf: string): boolean => leaf.includes(".adapter.");
  const params = withFixtureLeaves(fresh, "adapter.leaf", trains);
  const leaves = [...namedTensors(params).keys()].filter(trains);
  const x = tensor<Tensor3D>("peft.x");
  await assertParity(runToy(blocksOf(params), x).tokens, pick(FIXTURE, "adapter.output"), { tolerance: TOLERANCE });
  await assertGradients("adapter", params, leaves);
});

testOnBackends("deep prompts: tokens, CLS attention and gradients match PyTorch", async () => {
  const blocks = toyBlocks("vpt.base").map((block, i) => ({ ...block, prompts: tensor<Tensor2D>(`vpt.leaf.${i}`) }));
  const x = tensor<Tensor3D>("peft.x");
  for (const kind of ["logits", "probabilities"] as const) {
    const { tokens, affinity } = runToy(blocks, x, ["pre", "pre"], kind);
    await assertParity(tokens, pick(FIXTURE, "vpt.tokens"), { name: "tokens", tolerance: TOLERANCE });
    await assertParity(affinity!, pick(FIXTURE, `vpt.${kind}`), { name: kind, tolerance: TOLERANCE });
  }
  const [upstream, affinityUpstream] = [tensor("peft.upstream"), tensor("vpt.affinity_upstream")];
  const actual = gradients({ blocks, x }, ["x", "blocks.0.prompts", "blocks.1.prompts"], () => {
    const { tokens, affinity } = runToy(blocks, x, ["pre", "pre"], "probabilities");
    return tf.add(dot(tokens, upstream), dot(affinity!, affinityUpstream));
  });
  for (const [leaf, gradient] of actual) {
    const name = leaf === "x" ? leaf : leaf.split(".")[1]!;
    await assertParity(gradient, pick(FIXTURE, `vpt.grad.${name}`), { name: leaf, tolerance: TOLERANCE });
  }
});

testOnBackends(
  "context words: tokens, CLS attention and gradient match PyTorch, texts cut to fit included",
  async () => {
    const params: TextTrunk = {
      word: tensor("coop.word"),
      position: tensor("coop.position"),
      tokenType: tensor("coop.tokenType"),
      norm: { weight: tensor("coop.gain"), bias: tensor("coop.offset") },
      layers: toyBlocks("coop.base"),
      context: tensor("coop.context"),
    };
    const config = { ...BIOMED_CLIP.text, heads: 2, epsilon: 1e-6, dropout: 0 };
    const ids = tensor<Tensor2D>("coop.ids");
    const { tokens, affinity } = textTower(params, ids, config, { affinity: "probabilities" });
    await assertParity(tokens, pick(FIXTURE, "coop.tokens"), { name: "tokens", tolerance: TOLERANCE });
    await assertParity(affinity!, pick(FIXTURE, "coop.probabilities"), { name: "affinity", tolerance: TOLERANCE });
    const cls = textTower(params, ids, config, { clsOnly: true }).tokens;
    await assertParity(cls, firstRows("coop.tokens"), { name: "CLS", tolerance: TOLERANCE });
    const [upstream, affinityUpstream] = [tensor("coop.upstream"), tensor("coop.affinity_upstream")];
    const actual = gradients(params, ["context"], () => {
      const result = textTower(params, ids, config, { affinity: "probabilities" });
      return tf.add(dot(result.tokens, upstream), dot(result.affinity!, affinityUpstream));
    });
    await assertParity(actual.get("context")!, pick(FIXTURE, "coop.grad"), { name: "gradient", tolerance: TOLERANCE });
  },
);

function firstRows(name: string): { shape: number[]; dtype: "float32"; data: Float32Array } {
  const { shape: [batch = 0, size = 0, width = 0], data } = pick(FIXTURE, name);
  const rows = Array.from({ length: batch }, (_, b) => [...data.slice(b * size * width, b * size * width + width)]);
  return { shape: [batch, 1, width], dtype: "float32", data: Float32Array.from(rows.flat()) };
}

testOnBackends(
  "featureAdapter() of unit features matches CLIP-Adapter on features as they are, gradients too",
  async () => {
    const params = {
      down: { weight: tensor<Tensor2D>("clip_adapter.down") },
      up: { weight: tensor<Tensor2D>("clip_adapter.up") },
      ratio: 0.2,
    };
    const unit = l2Normalise(tensor<Tensor2D>("clip_adapter.features"));
    await assertParity(featureAdapter(params, unit), pick(FIXTURE, "clip_adapter.output"), { tolerance: 1e-6 });
    const upstream = tensor("clip_adapter.upstream");
    const actual = gradients(params, ["down.weight", "up.weight"], () => dot(featureAdapter(params, unit), upstream));
    for (const [leaf, gradient] of actual) {
      const expected = pick(FIXTURE, `clip_adapter.grad.${leaf.split(".")[0]}`);
      await assertParity(gradient, expected, { name: leaf, tolerance: 1e-5 });
    }
  },
);
