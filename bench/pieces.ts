/** Pieces of the work: a matrix product, a block with LoRA, ACE-HGNN, each as functions that can be timed. @module */
import * as tf from "@tensorflow/tfjs";
import { BIOMED_CLIP } from "../lib/clip/architectures.ts";
import { aceHgnn, aceHgnnDense, initAceHgnn } from "../lib/hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA } from "../lib/peft/lora/config.ts";
import { loraUpdate } from "../lib/peft/lora/layer.ts";
import { initLora } from "../lib/peft/lora/inject.ts";
import { type BlockParams, transformerBlock } from "../lib/nn/transformer.ts";
import { l2Normalise } from "../lib/tensor/kernels/l2_normalise/api.ts";
import { disposeParams, namedTensors } from "../lib/tensor/params.ts";
import type { Scalar, Tensor, Tensor2D, Tensor3D } from "../lib/tensor/types.ts";
import { valueAndGradients } from "../lib/tensor/gradients.ts";
import { compileModules, instantiate } from "../lib/tensor/wasm/module.ts";
import { frozenModel } from "./work.ts";

/** Something to time. */
export interface Piece {
  /** Without gradients. */
  forward(): void;
  /** With gradients. */
  both(): void;
  /** Frees the tensors. */
  dispose(): void;
}

/** The four transpose forms of `A B`: [transposeA, transposeB]. */
export const FORMS: readonly (readonly [boolean, boolean])[] = [[false, false], [false, true], [true, false], [
  true,
  true,
]];

/** `A B` in one form. */
export function matmulPiece(m: number, k: number, n: number, [ta, tb]: readonly [boolean, boolean]): Piece {
  const a = tf.randomUniform(ta ? [k, m] : [m, k], -1, 1, "float32", 1);
  const b = tf.randomUniform(tb ? [n, k] : [k, n], -1, 1, "float32", 2);
  const forward = (): void => tf.matMul(a, b, ta, tb).dispose();
  return { forward, both: forward, dispose: () => tf.dispose([a, b]) };
}

/** A peak measurement of this many steps: twelve chains of 4-wide multiply-adds. */
export function peakRun(steps = 1e6): { run: () => void; flop: number } {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 65536 });
  const exports = instantiate(compileModules(), memory);
  const peak = exports["peak"] as (iterations: number, x: number) => number;
  for (let i = 0; i < 100; i++) peak(1000, 0.9);
  return { run: () => void peak(steps, 0.9), flop: steps * 12 * 8 };
}

/** The gradients of `f` summed, by every tensor of `tree`, and by none of the others. */
function bothPasses(tree: unknown, names: readonly string[], f: () => Tensor): void {
  const { value, gradients } = valueAndGradients(tree, names, () => tf.tidy(() => tf.sum(f()) as Scalar));
  tf.dispose([value, ...gradients.values()]);
}

/** One ViT-B block with LoRA on q, k, v in training mode; gradients of its input and the low-rank matrices. */
export function blockPiece(batch: number): Piece {
  const { width, heads, epsilon } = BIOMED_CLIP.vision;
  const block = frozenModel("full").vision.trunk.blocks[0]!;
  const attention = { ...block.attention };
  for (const name of ["query", "key", "value"] as const) {
    attention[name] = { ...attention[name], update: loraUpdate(initLora(attention[name], ACE_LORA_LORA, 1, name)) };
  }
  const tree: { block: BlockParams; x: Tensor3D } = {
    block: { ...block, attention },
    x: tf.randomNormal([batch, 197, width], 0, 1, "float32", 1) as Tensor3D,
  };
  const names = [...namedTensors(tree).keys()].filter((name) => name === "x" || /\.lora[AB]$/.test(name));
  const run = (): Tensor => transformerBlock(tree.block, tree.x, { heads, epsilon, order: "pre", seed: 1 }).tokens;
  return {
    forward: () => run().dispose(),
    both: () => bothPasses(tree, names, run),
    dispose: () => disposeParams(tree, block),
  };
}

/** ACE-HGNN in one of its forms: E = 512, hidden 128, k = 5; gradients of tokens, affinity and weights. */
export function hgnnPiece(tokens: number, batch: number, form: "sparse" | "dense"): Piece {
  const raw = tf.randomNormal([batch, tokens + 1, 512], 0, 1, "float32", 1);
  const tree = {
    params: initAceHgnn(512, 128, 1),
    x: l2Normalise(raw) as Tensor3D,
    affinity: tf.randomNormal([batch, tokens], 0, 1, "float32", 2) as Tensor2D,
  };
  raw.dispose();
  const run = (): Tensor =>
    tf.tidy(() => {
      if (form === "sparse") return aceHgnn(tree.params, tree.x, tree.affinity, 5);
      return tf.slice(aceHgnnDense(tree.params, tree.x, tree.affinity, 5).nodes, [0, 0, 0], [batch, 1, 512]);
    });
  const names = [...namedTensors(tree).keys()];
  return {
    forward: () => run().dispose(),
    both: () => bothPasses(tree, names, run),
    dispose: () => disposeParams(tree),
  };
}
