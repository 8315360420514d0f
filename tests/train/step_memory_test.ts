import { assert, assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { BIOMED_CLIP, MINI } from "../../lib/clip/config.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { fittingMicroBatch, pairBytes } from "../../lib/train/step_memory.ts";

Deno.test("pairBytes() is what a pair made wasm's memory grow by, to a fifth, of a small and of a large model", () => {
  // Growth of the memory over one step with the paper's additions: micro-batches of 1 and 3, and of 200.
  for (const [config, measured] of [[BIOMED_CLIP, 1042 * 2 ** 20], [MINI, 12_092_047]] as const) {
    const ratio = pairBytes(config) / measured;
    assert(ratio > 0.8 && ratio < 1.2, `${ratio}`);
  }
});

Deno.test("fittingMicroBatch() counts pairs beside the tensors there are on wasm, and sets no limit elsewhere", async () => {
  await selectBackend({ backend: "wasm" });
  assertEquals(fittingMicroBatch(BIOMED_CLIP), 3);
  const free = fittingMicroBatch(MINI);
  const held = tf.zeros([10 * pairBytes(MINI) / 4]);
  assertEquals(fittingMicroBatch(MINI), free - 10);
  held.dispose();
  await selectBackend({ backend: "cpu" });
  assertEquals(fittingMicroBatch(BIOMED_CLIP), Infinity);
});
