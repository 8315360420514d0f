/** The toy of make_fixtures.py as this package's records: two transformer blocks. @module */
import * as tf from "@tensorflow/tfjs";
import type { LinearParams } from "../../lib/nn/linear.ts";
import type { TowerBlocks } from "../../lib/nn/towers.ts";
import { type BlockParams, transformerBlock, type TransformerResult } from "../../lib/nn/transformer.ts";
import { namedTensors, withTensors } from "../../lib/tensor/params.ts";
import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D } from "../../lib/tensor/types.ts";
import { valueAndGradients } from "../../lib/tensor/gradients.ts";
import { type Fixture, readFixture, toTensor } from "../parity/fixtures.ts";

/** Expected values. */
export const FIXTURE: Fixture = await readFixture("../../peft/fixtures/methods");
/** Settings of make_fixtures.py. */
export const TOY = { heads: 2, epsilon: 1e-6 };

/** A named tensor of the fixture. */
export function tensor<T extends Tensor = Tensor>(name: string): T {
  return toTensor(FIXTURE, name) as T;
}

/** The two blocks under `prefix`. */
export function toyBlocks(prefix: string): BlockParams[] {
  const layer = (name: string): { weight: Tensor; bias: Tensor1D } => ({
    weight: tensor(`${prefix}.${name}.weight`),
    bias: tensor(`${prefix}.${name}.bias`),
  });
  const linear = (name: string): LinearParams => layer(name) as LinearParams;
  const norm = (name: string): BlockParams["norm1"] => layer(name) as BlockParams["norm1"];
  return [0, 1].map((i) => ({
    norm1: norm(`${i}.norm1`),
    attention: {
      query: linear(`${i}.query`),
      key: linear(`${i}.key`),
      value: linear(`${i}.value`),
      output: linear(`${i}.output`),
    },
    norm2: norm(`${i}.norm2`),
    mlp: { fc1: linear(`${i}.fc1`), fc2: linear(`${i}.fc2`) },
  }));
}

/** The blocks as towers, so that the injecting functions take them: both are image blocks. */
export function asTowers(blocks: BlockParams[]): TowerBlocks {
  return { vision: { trunk: { blocks } }, text: { trunk: { layers: [] } } };
}

/** Runs the blocks, the first of order `orders[0]`. */
export function runToy(
  blocks: readonly BlockParams[],
  x: Tensor3D,
  orders: readonly ("pre" | "post")[] = ["pre", "post"],
  affinity?: "logits" | "probabilities",
): TransformerResult {
  let state: TransformerResult = { tokens: x };
  blocks.forEach((block, i) => {
    state = transformerBlock(block, state.tokens, { ...TOY, order: orders[i]!, ...(affinity ? { affinity } : {}) });
  });
  return state;
}

/** The name make_fixtures.py gives a leaf of the towers: `0.query.A`, `1.fc2.l`, `0.down.weight`. */
export function shortName(leaf: string): string {
  return leaf.replace("vision.trunk.blocks.", "").replace(/\.(attention|mlp|adapter)/, "").replace(
    /\.(lora|dora|ia3)\./,
    ".",
  )
    .replace("loraA", "A").replace("loraB", "B").replace("magnitude", "m").replace("factors", "l");
}

/** The tree with its trainable leaves taken from the fixture. */
export function withFixtureLeaves<T>(tree: T, prefix: string, trains: (leaf: string) => boolean): T {
  const names = [...namedTensors(tree).keys()].filter(trains);
  return withTensors(tree, new Map(names.map((name) => [name, tensor(`${prefix}.${shortName(name)}`)])));
}

/** Gradients of `f` by the named leaves of a tree. */
export function gradients(tree: unknown, names: readonly string[], f: () => Tensor): Map<string, Tensor> {
  const { value, gradients } = valueAndGradients(tree, names, () => tf.tidy(f) as Scalar);
  value.dispose();
  return gradients;
}

/** `Σ a · b`. */
export function dot(a: Tensor, b: Tensor): Tensor {
  return tf.sum(tf.mul(a, b));
}

/** Names of the fixture below a prefix, without it. */
export function fixtureNames(prefix: string): string[] {
  return [...FIXTURE.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
}

export type { Tensor2D, Tensor3D };
