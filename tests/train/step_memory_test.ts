import { assert, assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { BIOMED_CLIP, MINI, NO_TEXT } from "../../lib/clip/architectures.ts";
import type { ClipConfig, ResnetConfig, SwinConfig } from "../../lib/clip/config.ts";
import { initClip } from "../../lib/clip/params.ts";
import { encodeImage } from "../../lib/clip/towers/image.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { injectLora } from "../../lib/peft/lora/inject.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { gradientsOf } from "../../lib/tensor/gradients.ts";
import { disposeParams, namedTensors } from "../../lib/tensor/params.ts";
import type { Scalar, Tensor, Tensor4D } from "../../lib/tensor/types.ts";
import { fittingMicroBatch, sampleBytes } from "../../lib/train/step_memory.ts";

Deno.test("sampleBytes() is what a pair made wasm's memory grow by, to a fifth, of a small and of a large model", () => {
  // Growth of the memory over one step with the paper's additions: micro-batches of 1 and 3, and of 100 and 300.
  for (const [config, measured] of [[BIOMED_CLIP, 247 * 2 ** 20], [MINI, 2_713_190]] as const) {
    const ratio = sampleBytes(config) / measured;
    assert(ratio > 0.8 && ratio < 1.2, `${ratio}`);
  }
});

const SWIN: SwinConfig = {
  ...{ kind: "swin", imageSize: 56, patchSize: 4, width: 256, window: 7, mlpRatio: 4, epsilon: 1e-5 },
  ...{ activation: "gelu", pool: "mean" },
  stages: [{ depth: 2, heads: 4 }, { depth: 2, heads: 8 }],
};

/** The most bytes that tensors take while `f` runs, beside those there were. */
function peakBytes(f: () => void): number {
  const { state } = tf.engine() as unknown as { state: { numBytes: number } };
  const before = state.numBytes;
  let [bytes, peak] = [before, before];
  Object.defineProperty(state, "numBytes", {
    configurable: true,
    get: () => bytes,
    set: (value: number) => peak = Math.max(peak, bytes = value),
  });
  try {
    f();
  } finally {
    Object.defineProperty(state, "numBytes", { configurable: true, writable: true, enumerable: true, value: bytes });
  }
  return peak - before;
}

Deno.test("sampleBytes() of a Swin and of a ResNet is what tensors take more for an image more, to a fifth", async () => {
  await selectBackend({ backend: "wasm" });
  const config: ClipConfig = { ...BIOMED_CLIP, vision: SWIN, text: NO_TEXT, embedding: 64, scale: 1 };
  const params = injectLora(initClip(config, 1), { ...ACE_LORA_LORA, encoders: ["image"] }, { seed: 1 });
  const leaves = [...namedTensors(params)].filter(([name]) => /lora[AB]$/.test(name)).map(([, tensor]) => tensor);
  const step = (images: number): number => {
    const pixels = tf.ones([images, 56, 56, 3]) as Tensor4D;
    const peak = peakBytes(() => {
      const { value, grads } = gradientsOf(() => {
        const { tokens } = encodeImage(params, pixels, config, { seed: 1 });
        return tf.sum(tf.square(tokens)) as Scalar;
      }, leaves);
      tf.dispose([value, ...grads as Tensor[]]);
    });
    pixels.dispose();
    return peak;
  };
  const ratio = sampleBytes(config, ["image"]) / (step(3) - step(2));
  assert(ratio > 0.8 && ratio < 1.2, `${ratio}`);
  disposeParams(params);
  // Swin-T's tensors with the paper's LoRA in all three projections, 2 images and 3.
  const stages = [{ depth: 2, heads: 3 }, { depth: 2, heads: 6 }, { depth: 6, heads: 12 }, { depth: 2, heads: 24 }];
  const swinT = sampleBytes({ ...config, vision: { ...SWIN, imageSize: 224, width: 768, stages } }, ["image"]);
  // OpenAI's RN50 with all its weights, 1 image and 2.
  const resnet: ResnetConfig = {
    ...{ kind: "clip-resnet", imageSize: 224, stemWidth: 64, width: 2048, heads: 32 },
    stages: [3, 4, 6, 3],
  };
  const rn50 = sampleBytes({ ...config, vision: resnet }, ["image"]);
  for (const [bytes, measured] of [[swinT, 101.03], [rn50, 109.79]] as const) {
    const share = bytes / measured / 2 ** 20;
    assert(share > 0.8 && share < 1.2, `${share}`);
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
