import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals } from "@std/assert";
import { aceLoraModel, initAceLora } from "../../lib/ace_lora.ts";
import { initClip } from "../../lib/clip/params.ts";
import type { LoraConfig } from "../../lib/peft/lora/config.ts";
import { normal } from "../../lib/tensor/init.ts";
import { mapTensors } from "../../lib/tensor/params.ts";
import { batchOf } from "../../lib/train/batch.ts";
import { contrastiveGradients } from "../../lib/train/gradients.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose, noLeak } from "../close.ts";
import { SMALL, SMALL_ACE, smallIds, smallPixels } from "../small_model.ts";

const DEEP = { ...SMALL, vision: { ...SMALL.vision, depth: 4 }, text: { ...SMALL.text, depth: 4 } };
const CONFIG = { ...SMALL_ACE, encoders: DEEP };

testOnBackends("contrastiveGradients() with recompute gives the same loss and gradients, dropout on", async () => {
  // Text layers above the lower half have no LoRA then, and dropout on their attention.
  const lower: LoraConfig = { ...CONFIG.lora!, positions: "half-bottom" };
  for (const config of [CONFIG, { encoders: DEEP, lora: CONFIG.lora! }, { encoders: DEEP, lora: lower }]) {
    const fresh = await initAceLora(initClip(DEEP, 1), config);
    // B starts at zero, and with it A's gradient: random numbers make both matter.
    const params = mapTensors(fresh, (x, name) => name.endsWith("loraB") ? normal(x.shape, 0.3, 9, name) : x);
    const batch = batchOf({ pixels: smallPixels(4), ids: smallIds(4) });
    for (const microBatch of [4, 3]) {
      const how = { seed: 3, microBatch };
      const kept = await contrastiveGradients(aceLoraModel(config), params, batch, how);
      const again = await contrastiveGradients(aceLoraModel(config), params, batch, { ...how, recompute: true });
      await assertClose(again.value, kept.value, 0, "loss");
      assertEquals([...again.gradients.keys()], [...kept.gradients.keys()]);
      for (const [name, gradient] of kept.gradients) {
        await assertClose(again.gradients.get(name)!, gradient, 2e-7, `${name}, ${microBatch} at a time`);
      }
      const first = kept.gradients.get("vision.trunk.blocks.0.attention.query.lora.loraA")!;
      assert((await tf.max(tf.abs(first)).data())[0]! > 0, "the first block has a gradient");
    }
  }
});

testOnBackends("contrastiveGradients() with recompute holds less memory, and leaves nothing behind", async () => {
  const params = await initAceLora(initClip(DEEP, 1), CONFIG);
  const batch = batchOf({ pixels: smallPixels(4), ids: smallIds(4) });
  const peak = async (recompute: boolean): Promise<number> => {
    const model = aceLoraModel(CONFIG);
    const before = tf.memory().numBytes;
    let most = 0;
    // Both encodings are on the tape when the loss is asked.
    const watched = {
      ...model,
      loss: (...args: Parameters<typeof model.loss>) => {
        most = Math.max(most, tf.memory().numBytes - before);
        return model.loss(...args);
      },
    };
    await noLeak(async () => {
      const { value, gradients } = await contrastiveGradients(watched, params, batch, { seed: 3, recompute });
      tf.dispose([value, ...gradients.values()]);
    });
    return most;
  };
  const [kept, again] = [await peak(false), await peak(true)];
  assert(again < 0.75 * kept, `${again} bytes with recompute, ${kept} without`);
});
