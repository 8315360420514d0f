/**
 * The building blocks, forward alone and with gradients: `deno bench --allow-read --allow-env bench/blocks_bench.ts`.
 *
 * Sizes are those of BiomedCLIP's image tower, two images. The backend is wasm, or ACE_BACKEND's.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { aceHgnn, aceHgnnDense, initAceHgnn } from "../lib/hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA } from "../lib/peft/lora/config.ts";
import { loraUpdate } from "../lib/peft/lora/layer.ts";
import { initLora } from "../lib/peft/lora/inject.ts";
import { infoNce } from "../lib/losses/info_nce.ts";
import { falseNegativeMask } from "../lib/losses/label_mask.ts";
import { linear } from "../lib/nn/linear.ts";
import { selectBackend } from "../lib/tensor/backend.ts";
import { readVariable } from "../lib/platform/variables.ts";
import { attention } from "../lib/tensor/kernels/attention/api.ts";
import { gelu } from "../lib/tensor/kernels/gelu/api.ts";
import { layerNorm } from "../lib/tensor/kernels/layer_norm/api.ts";
import { l2Normalise } from "../lib/tensor/kernels/l2_normalise/api.ts";
import { namedTensors } from "../lib/tensor/params.ts";
import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D } from "../lib/tensor/types.ts";
import { valueAndGradients } from "../lib/tensor/gradients.ts";
import { firstNumber } from "./work.ts";

// A library that is named would need a permission.
await selectBackend({ ...(readVariable("ACE_BACKEND") ? {} : { backend: "wasm" }), wasm: { blas: "off" } });

const [BATCH, TOKENS, WIDTH, HIDDEN, HEADS] = [2, 197, 768, 3072, 12];
const random = <T extends Tensor>(shape: number[], seed: number): T =>
  tf.randomNormal(shape, 0, 1, "float32", seed) as Tensor as T;

/** Registers both passes of a block; gradients are taken by every tensor of `tree` but those named frozen. */
function group(name: string, tree: Record<string, unknown>, f: () => Tensor, frozen: RegExp = /^$/): void {
  const names = [...namedTensors(tree).keys()].filter((leaf) => !frozen.test(leaf));
  const scalar = (): Scalar => tf.tidy(() => tf.sum(f()) as Scalar);
  const options = { group: name, n: 10, warmup: 3 };
  Deno.bench(`${name}: forward`, { ...options, baseline: true }, async () => {
    const y = f();
    await firstNumber(y);
    y.dispose();
  });
  Deno.bench(`${name}: forward and backward`, options, async () => {
    const { value, gradients } = valueAndGradients(tree, names, scalar);
    await firstNumber([...gradients.values()].at(-1)!);
    tf.dispose([value, ...gradients.values()]);
  });
}

const x = random<Tensor3D>([BATCH, TOKENS, WIDTH], 1);
const norm = { x, gain: random<Tensor1D>([WIDTH], 2), bias: random<Tensor1D>([WIDTH], 3) };
group("LayerNorm", norm, () => layerNorm(norm.x, norm.gain, norm.bias, 1e-6), /gain|bias/);

const hidden = { x: random<Tensor3D>([BATCH, TOKENS, HIDDEN], 4) };
group("GELU", hidden, () => gelu(hidden.x));

const heads = { q: x, k: random<Tensor3D>(x.shape, 5), v: random<Tensor3D>(x.shape, 6) };
group("attention", heads, () => attention(heads.q, heads.k, heads.v, { heads: HEADS }));

const layer = { weight: random<Tensor2D>([WIDTH, WIDTH], 7), bias: random<Tensor1D>([WIDTH], 8) };
const withLora = { x, layer: { ...layer, update: loraUpdate(initLora(layer, ACE_LORA_LORA, 1, "bench")) } };
group("linear with LoRA", withLora, () => linear(withLora.layer, withLora.x, { seed: 1 }), /weight|bias/);

for (const nodes of [196, 255]) {
  const raw = random<Tensor3D>([64, nodes + 1, 512], 9);
  const tree = { params: initAceHgnn(512, 128, 1), x: l2Normalise(raw), affinity: random<Tensor2D>([64, nodes], 10) };
  raw.dispose();
  group(`ACE-HGNN sparse, N = ${nodes}`, tree, () => aceHgnn(tree.params, tree.x, tree.affinity, 5));
  if (nodes === 196) {
    group(
      "ACE-HGNN dense, N = 196",
      tree,
      () => tf.tidy(() => aceHgnnDense(tree.params, tree.x, tree.affinity, 5).nodes),
    );
  }
}

const features = {
  image: l2Normalise(random<Tensor2D>([64, 512], 11)),
  text: l2Normalise(random<Tensor2D>([64, 512], 12)),
  scale: tf.scalar(14),
};
group("InfoNCE, batch 64", features, () => infoNce(features.image, features.text, features.scale));
const labels = Array.from(
  { length: 64 },
  (_, i) => Array.from({ length: 14 }, (_, j) => (i * j) % 3 === 0 ? 1 as const : 0 as const),
);
const pairMask = tf.tensor2d(falseNegativeMask(labels), [64, 64]);
group(
  "label-guided InfoNCE, batch 64",
  features,
  () => infoNce(features.image, features.text, features.scale, { pairMask }),
);
