/** What holds of every image tower beside the ViT: fresh LoRA, merging, writing back, recomputing, explaining. */
import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { openCheckpoint } from "../../lib/clip/checkpoint/checkpoint.ts";
import { toClipTensors } from "../../lib/clip/checkpoint/tensors.ts";
import { encodeImage, gridSide } from "../../lib/clip/towers/image.ts";
import { explainImages } from "../../lib/eval/explain.ts";
import { readFinite } from "../../lib/io/tensor_file.ts";
import { toFloat32 } from "../../lib/io/tensors.ts";
import { mergeUpdates } from "../../lib/nn/linear.ts";
import { towerBlocks } from "../../lib/nn/towers.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { injectLora } from "../../lib/peft/lora/inject.ts";
import { vptMethod } from "../../lib/peft/vpt/method.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { gradientsOf } from "../../lib/tensor/gradients.ts";
import { disposeParams, namedTensors, withTensors } from "../../lib/tensor/params.ts";
import type { Scalar, Tensor, Tensor4D } from "../../lib/tensor/types.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose } from "../close.ts";
import { caseOf, layoutFiles, openCase } from "./layout_cases.ts";

const FOLDERS = ["rad_dino", "dinov2_registers", "eva_clip", "medclip_swin", "cxr_clip_swin"];
const LORA = { ...ACE_LORA_LORA, dropout: 0, encoders: ["image"] as const };

for (const folder of FOLDERS) {
  testOnBackends(`fresh LoRA changes nothing, moved and merged LoRA give the same numbers: ${folder}`, async () => {
    const { params: base, config, expected } = await openCase(caseOf(folder));
    const pixels = expected.get("pixels") as Tensor4D;
    const plain = encodeImage(base, pixels, config).tokens;
    const fresh = injectLora(base, LORA, { seed: 3 });
    await assertClose(encodeImage(fresh, pixels, config).tokens, plain, 1e-5, "fresh LoRA");
    const leaves = [...namedTensors(fresh)].filter(([name]) => name.endsWith("loraB"));
    assertEquals(leaves.length, 3 * towerBlocks(base).image.length);
    const moved = withTensors(
      fresh,
      new Map(leaves.map(([name, b]): [string, Tensor] => [
        name,
        tf.mul(0.1, tf.cos(tf.reshape(tf.range(0, b.size), b.shape))),
      ])),
    );
    const adapted = encodeImage(moved, pixels, config).tokens;
    const difference = await tf.max(tf.abs(tf.sub(adapted, plain))).data();
    assert(difference[0]! > 1e-3, "moved LoRA changes the tokens");
    await assertClose(encodeImage(mergeUpdates(moved), pixels, config).tokens, adapted, 2e-5, "merged LoRA");
    disposeParams(base);
  });

  Deno.test(`a block computed again has the gradient of one that is kept: ${folder}`, async () => {
    await selectBackend({ backend: "cpu" });
    const { params, config, expected } = await openCase(caseOf(folder));
    const pixels = expected.get("pixels") as Tensor4D;
    const { attention } = towerBlocks(params).image[0]!;
    const leaves: Tensor[] = [attention.query.weight, ...(attention.relativeBias ? [attention.relativeBias] : [])];
    const gradients = (recompute?: ReadonlySet<Tensor>) =>
      gradientsOf(() => {
        const { tokens } = encodeImage(params, pixels, config, recompute ? { recompute } : {});
        return tf.sum(tf.square(tokens)) as Scalar;
      }, leaves).grads;
    const [kept, again] = [gradients(), gradients(new Set(leaves))];
    for (const [i, gradient] of kept.entries()) {
      const numbers = await gradient!.data();
      const scale = Math.max(...Array.from(numbers, Math.abs));
      assert(scale > 0);
      await assertClose(tf.div(again[i]!, scale), tf.div(gradient!, scale), 1e-5, `gradient ${i}`);
    }
    disposeParams(params);
  });

  Deno.test(`toClipTensors() writes back the numbers that were read: ${folder}`, async () => {
    await selectBackend({ backend: "cpu" });
    const { params } = await openCase(caseOf(folder));
    const checkpoint = await openCheckpoint(layoutFiles(caseOf(folder)).weights);
    const { file, wrapper, layout } = checkpoint;
    // An image tower alone has a scale of 1 that its file does not hold.
    const written = [...await toClipTensors(params, layout)].filter(([name]) => file.entries.has(wrapper + name));
    for (const [name, { shape, values }] of written) {
      const stored = await readFinite(file, wrapper + name);
      assertEquals([...shape], [...stored.shape], name);
      assertEquals(values, toFloat32(stored), name);
    }
    const names = new Set(written.map(([name]) => wrapper + name));
    const left = [...file.entries.keys()].filter((name) => !names.has(name));
    assert(left.every((name) => /position_ids|mask_token|pooler|relative_position_index/.test(name)), `${left}`);
    file.close();
    disposeParams(params);
  });
}

Deno.test("explainImages() of a Swin shows the similarity of its last stage's tokens; prompts are refused", async () => {
  await selectBackend({ backend: "cpu" });
  const { params, config, expected } = await openCase(caseOf("medclip_swin"));
  const data = new Uint8Array(256).map((_, i) => i);
  const [explanation] = await explainImages(params, [{ width: 16, height: 16, channels: 1, bitDepth: 8, data }], {
    encoders: config,
  });
  assertEquals(gridSide(config.vision), 2);
  assertEquals(explanation!.attention.length, 4);
  assert(explanation!.attention.every((cosine) => Math.abs(cosine) <= 1 + 1e-6));
  assertThrows(() => vptMethod(config), RangeError, "it is a swin");
  disposeParams(params);
  for (const tensor of expected.values()) tensor.dispose();
});
