/** ACE-LoRA on the towers beside ViT, CLIP and BERT. */
import * as tf from "@tensorflow/tfjs";
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { join } from "@std/path";
import {
  type AceLoraConfig,
  contrastiveLoss,
  countTrainable,
  imageFeatures,
  initAceLora,
  textFeatures,
  trainableTensors,
} from "../../lib/ace_lora.ts";
import { loadAdapter, saveAdapter } from "../../lib/adapters/model.ts";
import { towerBlocks } from "../../lib/nn/towers.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { gradientsOf } from "../../lib/tensor/gradients.ts";
import { disposeParams, withTensors } from "../../lib/tensor/params.ts";
import type { Tensor, Tensor2D, Tensor4D } from "../../lib/tensor/types.ts";
import { testOnBackends } from "../backends.ts";
import { LAYOUT_CASES, openCase, OTHER_TOWERS } from "./layout_cases.ts";

/** Those, a ResNet read through attention, one read by its mean, and a ViT behind normed projections. */
const ADAPTED: readonly string[] = [...OTHER_TOWERS, "open_clip_resnet", "cxr_clip", "mgca_vit"];

for (const layout of LAYOUT_CASES.filter(({ folder }) => ADAPTED.includes(folder))) {
  testOnBackends(`ACE-LoRA adapts, counts, trains and saves: ${layout.layout}`, async () => {
    const { params: base, config: encoders, expected } = await openCase(layout);
    const config: AceLoraConfig = {
      encoders,
      lora: { ...ACE_LORA_LORA, dropout: 0 },
      hgnn: { topK: 2, hidden: 4, encoders: ["image", "text"] },
    };
    const fresh = await initAceLora(base, config, { seed: 2 });
    const widths = Object.values(towerBlocks(base)).flat().map(({ attention }) => attention.query.weight.shape[0]);
    const lora = widths.reduce((sum, width) => sum + 3 * 2 * ACE_LORA_LORA.rank * width, 0);
    const { embedding } = encoders;
    assertEquals(countTrainable(fresh), lora + 2 * 2 * (2 * 4 * embedding + 4 + embedding) + 1);

    // Away from B = 0, where A would have no gradient.
    const moved = new Map([...trainableTensors(fresh)].map(([name, leaf]): [string, Tensor] => [
      name,
      name.endsWith("loraB") ? tf.add(leaf, tf.mul(0.1, tf.cos(tf.reshape(tf.range(0, leaf.size), leaf.shape)))) : leaf,
    ]));
    const params = withTensors(fresh, moved);
    const all = expected.get("ids") as Tensor2D;
    const pixels = expected.get("pixels") as Tensor4D;
    const ids = tf.slice(all, [0, 0], [pixels.shape[0], -1]);
    const leaves = trainableTensors(params);
    const { value, grads } = gradientsOf(() => contrastiveLoss(params, { pixels, ids }, config), [...leaves.values()]);
    assert(Number.isFinite((await value.data())[0]!));
    for (const [i, name] of [...leaves.keys()].entries()) {
      const numbers = await grads[i]!.data();
      assert(numbers.every(Number.isFinite), name);
      assert(numbers.some((number) => number !== 0), `${name} has no gradient`);
    }

    const folder = await Deno.makeTempDir();
    try {
      const path = join(folder, "adapter.safetensors");
      await saveAdapter(path, params, config);
      const loaded = await loadAdapter(path, base, encoders);
      for (
        const [before, after] of [
          [imageFeatures(params, pixels, config), imageFeatures(loaded.params, pixels, loaded.config)],
          [textFeatures(params, ids, config), textFeatures(loaded.params, ids, loaded.config)],
        ]
      ) {
        const wanted = await before!.data();
        (await after!.data()).forEach((value, i) => assertAlmostEquals(value, wanted[i]!, 1e-5));
        tf.dispose([before!, after!]);
      }
      disposeParams(loaded.params, base);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
    tf.dispose([value, ids, ...grads.map((gradient) => gradient!)]);
    disposeParams(params, base);
    disposeParams(fresh, base);
    disposeParams(base);
    for (const tensor of expected.values()) tensor.dispose();
  });
}
