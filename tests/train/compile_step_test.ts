import { assert, assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { countingDevice } from "../../bench/gpu/counting_device.ts";
import { type AceLoraConfig, aceLoraModel, initAceLora } from "../../lib/ace_lora.ts";
import { initClip } from "../../lib/clip/params.ts";
import { ACE_LORA_HGNN } from "../../lib/hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { useDevice } from "../../lib/tensor/webgpu/init.ts";
import { compileStep } from "../../lib/train/compile_step.ts";
import { initAdamw } from "../../lib/train/adamw.ts";
import { fit } from "../../lib/train/fit.ts";
import type { BatchSource } from "../../lib/train/source.ts";
import { namedTensors } from "../../lib/tensor/params.ts";
import { SMALL } from "../small_model.ts";

/** A model and pairs of random numbers. */
async function subject() {
  const config: AceLoraConfig = { encoders: SMALL, lora: ACE_LORA_LORA, hgnn: ACE_LORA_HGNN };
  const model = aceLoraModel(config);
  const params = await initAceLora(initClip(SMALL, 1), config);
  const { imageSize } = SMALL.vision as { imageSize: number };
  const { contextLength } = SMALL.text;
  const source: BatchSource = {
    size: 4,
    imageSize,
    contextLength,
    ids: (indices) => Promise.resolve(Int32Array.from({ length: indices.length * contextLength }, (_, i) => 1 + i % 9)),
    pixels: (indices) =>
      Promise.resolve(Float32Array.from({ length: indices.length * imageSize ** 2 * 3 }, (_, i) => Math.sin(i))),
    labels: (indices) => Promise.resolve(indices.map((i) => [1, i % 2 === 0 ? 0 : 1] as const)),
  };
  return { model, params, source };
}

for (const microBatch of [4, 2]) {
  Deno.test(`compileStep() compiles all that a step needs, and nothing is run: ${microBatch} of 4 pairs at a time`, async () => {
    const { owned, counts } = countingDevice();
    await useDevice(owned);
    await tf.setBackend("webgpu");
    tf.engine().startScope();
    try {
      const { model, params, source } = await subject();
      const tensors = namedTensors(params, model.isTrainable);
      const adamw = initAdamw(tensors);
      const [before, held] = [{ ...counts }, tf.memory().numTensors];
      const how = { size: 4, microBatch, isMasked: true, recompute: false, tensors, adamw };
      await compileStep(model, params, source, how);
      assertEquals(tf.memory().numTensors, held);
      assert(counts.pipelines > before.pipelines + 50, `${counts.pipelines - before.pipelines} pipelines`);
      assertEquals({ ...counts, pipelines: before.pipelines }, before); // no program, copy or upload
      const compiled = counts.pipelines;
      await fit(model, params, source, { epochs: 1, batchSize: 4, microBatch });
      assertEquals(counts.pipelines, compiled);
      assert(counts.dispatches > before.dispatches + 100);
    } finally {
      tf.engine().endScope();
    }
  });
}
