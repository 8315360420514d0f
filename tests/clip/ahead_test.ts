import { assert, assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { countingDevice } from "../../bench/gpu/counting_device.ts";
import { aceLoraModel } from "../../lib/ace_lora.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { encodeNothing } from "../../lib/clip/zero_shot/ahead.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { useDevice } from "../../lib/tensor/webgpu/init.ts";

Deno.test("loadClip() compiles what encoding will need while it reads, and nothing is run", async () => {
  const { owned, counts } = countingDevice();
  await useDevice(owned);
  await tf.setBackend("webgpu");
  const sizes = { images: 3, texts: 30, prompts: 2 };
  const held = tf.memory().numTensors;
  const { params, config } = await loadClip({}, {
    ahead: (params, encoders) => encodeNothing(aceLoraModel({ encoders }), params, encoders, sizes),
  });
  const { pipelines, ...rest } = counts;
  assert(pipelines > 20, `${pipelines} pipelines`);
  assertEquals(Object.values(rest).every((count) => count === 0), true, JSON.stringify(rest));
  tf.tidy(() => {
    const model = aceLoraModel({ encoders: config });
    const { vision: { imageSize: side }, text: { contextLength } } = config as
      & { vision: { imageSize: number } }
      & typeof config;
    const ids = (count: number) =>
      tf.tensor2d(Int32Array.from({ length: count * contextLength }, (_, i) => i % 7), [count, contextLength], "int32");
    model.imageFeatures(params, tf.tensor4d(new Float32Array(3 * side * side * 3), [3, side, side, 3]));
    model.textFeatures(params, ids(30));
    model.promptFeatures(params, ids(2), 2);
  });
  assertEquals(counts.pipelines, pipelines);
  assert(counts.dispatches > 100, `${counts.dispatches} dispatches`);
  disposeParams(params);
  assertEquals(tf.memory().numTensors, held);
});

Deno.test("loadClip() does nothing ahead where the backend is not webgpu", async () => {
  await selectBackend({ backend: "cpu" });
  let isAsked = false;
  const { params } = await loadClip({}, { ahead: () => void (isAsked = true) });
  assertEquals(isAsked, false);
  disposeParams(params);
});
