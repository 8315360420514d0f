import { assert, assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { BIOMED_CLIP, MINI } from "../../lib/clip/architectures.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { fittingMicroBatch, sampleBytes } from "../../lib/train/step_memory.ts";

Deno.test("sampleBytes() is what a pair made wasm's memory grow by, to a fifth, of a small and of a large model", () => {
  // Growth of the memory over one step with the paper's additions: micro-batches of 1 and 3, and of 100 and 300.
  for (const [config, measured] of [[BIOMED_CLIP, 247 * 2 ** 20], [MINI, 2_713_190]] as const) {
    const ratio = sampleBytes(config) / measured;
    assert(ratio > 0.8 && ratio < 1.2, `${ratio}`);
  }
});

Deno.test("fittingMicroBatch() counts pairs beside the tensors there are on wasm, and sets no limit elsewhere", async () => {
  await selectBackend({ backend: "wasm" });
  assertEquals(fittingMicroBatch(BIOMED_CLIP), 14);
  const free = fittingMicroBatch(MINI);
  const held = tf.zeros([10 * sampleBytes(MINI) / 4]);
  assertEquals(fittingMicroBatch(MINI), free - 10);
  held.dispose();
  assertEquals(sampleBytes(MINI, ["image"]) + sampleBytes(MINI, ["text"]), sampleBytes(MINI));
  assertEquals(fittingMicroBatch(BIOMED_CLIP, { towers: ["image"] }), 33);
  assertEquals(fittingMicroBatch(BIOMED_CLIP, { besides: 2 ** 32 }), 0);
  await selectBackend({ backend: "cpu" });
  assertEquals(fittingMicroBatch(BIOMED_CLIP), Infinity);
});
