import { assert, assertEquals, assertThrows } from "@std/assert";
import { aceLoraModel, countTrainable, imageFeatures, initAceLora, textFeatures } from "../../lib/ace_lora.ts";
import { initClip } from "../../lib/clip/params.ts";
import { ACE_LORA_LORA, layersAt, loraScaling } from "../../lib/peft/lora/config.ts";
import { injectLora } from "../../lib/peft/lora/inject.ts";
import { mergeUpdates } from "../../lib/nn/linear.ts";
import { unmergeLora } from "../../lib/peft/lora/merge.ts";
import { normal } from "../../lib/tensor/init.ts";
import { disposeParams, mapTensors, namedTensors } from "../../lib/tensor/params.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose, largestDifference, noLeak } from "../close.ts";
import { SMALL, SMALL_ACE, smallIds, smallPixels } from "../small_model.ts";

const PLAIN = { encoders: SMALL, learnScale: false };

testOnBackends("injectLora() with fresh matrices changes no feature", async () => {
  const base = initClip(SMALL, 1);
  const injected = injectLora(base, ACE_LORA_LORA);
  const pixels = smallPixels(3);
  await assertClose(imageFeatures(base, pixels, PLAIN), imageFeatures(injected, pixels, PLAIN), 0, "image");
  await assertClose(textFeatures(base, smallIds(3), PLAIN), textFeatures(injected, smallIds(3), PLAIN), 0, "text");
});

testOnBackends("mergeUpdates() gives the unmerged features, unmergeLora() the first weights again", async () => {
  const base = initClip(SMALL, 1);
  const trained = mapTensors(
    injectLora(base, { ...ACE_LORA_LORA, targets: ["q", "k", "v", "o"] }),
    (tensor, name) => name.endsWith("loraB") ? normal(tensor.shape, 0.3, 9, name) : tensor,
  );
  const merged = mergeUpdates(trained);
  const pixels = smallPixels(3);
  const adapted = imageFeatures(trained, pixels, PLAIN);
  assert(await largestDifference(adapted, imageFeatures(base, pixels, PLAIN)) > 1e-3, "the update changes nothing");
  await assertClose(adapted, imageFeatures(merged, pixels, PLAIN), 1e-5, "merged");
  const back = namedTensors(unmergeLora(merged, trained));
  for (const [name, tensor] of namedTensors(trained)) await assertClose(back.get(name)!, tensor, 1e-6, name);
});

testOnBackends("the evaluation tree of a model frees with nothing left over", async () => {
  const base = initClip(SMALL, 1);
  await noLeak(async () => {
    const params = await initAceLora(base, SMALL_ACE);
    const merged = aceLoraModel(SMALL_ACE).forEvaluation(params);
    disposeParams(merged, params);
    disposeParams(params, base);
  });
});

Deno.test("loraScaling() is alpha / sqrt(rank) when rank-stabilised, else alpha / rank", () => {
  assertEquals(loraScaling(ACE_LORA_LORA), 0.5);
  assertEquals(loraScaling({ rank: 4, alpha: 1, rankStabilised: false }), 0.25);
});

Deno.test("layersAt() gives the released code's layers for 12, and thirds and halves for other depths", () => {
  assertEquals(layersAt("bottom", 12), [0, 1, 2, 3]);
  assertEquals(layersAt("mid", 12), [4, 5, 6, 7]);
  assertEquals(layersAt("up", 12), [8, 9, 10, 11]);
  assertEquals(layersAt("half-up", 12), [6, 7, 8, 9, 10, 11]);
  assertEquals(layersAt("half-bottom", 12), [0, 1, 2, 3, 4, 5]);
  assertEquals(layersAt("top1", 12), [11]);
  assertEquals(layersAt("top3", 12), [9, 10, 11]);
  assertEquals(layersAt("all", 4), [0, 1, 2, 3]);
  assertEquals(layersAt("top3", 2), [0, 1]);
  assertThrows(() => layersAt("middle" as "mid", 12), RangeError, '"middle"');
});

testOnBackends("injectLora() refuses a rank or target it cannot use", () => {
  const base = initClip(SMALL, 1);
  assertThrows(() => injectLora(base, { ...ACE_LORA_LORA, rank: 0 }), RangeError, "positive integer");
  assertThrows(() => injectLora(base, { ...ACE_LORA_LORA, targets: ["w" as "q"] }), RangeError, '"w"');
  return Promise.resolve();
});

testOnBackends("countTrainable() counts LoRA, ACE-HGNN and the scale of a small model", async () => {
  const params = await initAceLora(initClip(SMALL, 1), SMALL_ACE);
  const lora = (2 + 2) * 3 * (4 * 16 + 16 * 4);
  const hgnn = 4 * (8 * 4 + 4 + 4 * 8 + 8);
  assertEquals(countTrainable(params), lora + hgnn + 1);
});
