import { assert, assertEquals } from "@std/assert";
import { COUNTED_STEPS, floorBytes, NARROW, stepDispatches } from "../../bench/gpu/dispatches.ts";

Deno.test("a training step of 12 + 12 layers takes at most 548 dispatches, AdamW one of them", async () => {
  const { dispatches, adamw, byKernel } = await stepDispatches();
  const most = [...byKernel].sort((a, b) => b[1] - a[1]).slice(0, 8);
  assert(dispatches <= 548, `${dispatches} dispatches: ${most.join("; ")}`);
  assertEquals(adamw, 1);
  assertEquals(byKernel.get("AceAdamw"), 1);
  assertEquals(byKernel.get("AceAttention"), 24);
  assertEquals(byKernel.get("AceAttentionGrad"), 48);
});

Deno.test("LoRA in the last layers alone computes no gradient below them, and none of a frozen weight", async () => {
  const encoders = { ...NARROW, text: { ...NARROW.text, attentionDropout: 0 } };
  const { dispatches, byKernel } = await stepDispatches({ positions: "top1", encoders });
  const all = await stepDispatches();
  // One attention of each tower has a gradient, and the feed-forward parts above it.
  assertEquals([byKernel.get("AceAttention"), byKernel.get("AceAttentionGrad")], [24, 4]);
  // With it, the eleven text layers without LoRA drop attention probabilities, which the fused kernel does not hold.
  const dropped = await stepDispatches({ positions: "top1" });
  assertEquals([dropped.byKernel.get("AceAttention"), dropped.byKernel.get("AceAttentionGrad")], [13, 4]);
  // Two products each: the feed-forward parts and the text head; two bottlenecks in each of two ACE-HGNN are one program each.
  assertEquals([byKernel.get("AceMlp"), byKernel.get("AceMessages")], [50, 4]);
  assertEquals([byKernel.get("AceMlpGradHidden"), byKernel.get("AceMessagesGrad")], [5, 2]);
  assertEquals([byKernel.get("AceGelu"), byKernel.get("AceGeluGrad")], [undefined, undefined]);
  // The matrices' gradients of the two layers; below them the inputs are frozen, so no layer has one for x.
  assertEquals([byKernel.get("AceLoraLinearGrad"), byKernel.get("AceLoraLinearGradX")], [6, undefined]);
  assertEquals([all.byKernel.get("AceLoraLinearGrad"), all.byKernel.get("AceLoraLinearGradX")], [72, 22]);
  // LayerNorm's own gain and bias are frozen everywhere.
  assertEquals([byKernel.get("AceLayerNormGradParams"), all.byKernel.get("AceLayerNormGradParams")], [
    undefined,
    undefined,
  ]);
  assert(dispatches < 0.6 * all.dispatches, `${dispatches} against ${all.dispatches}`);
});

Deno.test("twice the depth costs as much again a block, and nothing else", async () => {
  const deep = (depth: number) => ({ ...NARROW, vision: { ...NARROW.vision, depth }, text: { ...NARROW.text, depth } });
  const [one, two, three] = [
    await stepDispatches({ encoders: deep(1), batch: 2 }),
    await stepDispatches({ encoders: deep(2), batch: 2 }),
    await stepDispatches({ encoders: deep(3), batch: 2 }),
  ];
  assertEquals(three.dispatches - two.dispatches, two.dispatches - one.dispatches);
  assert(two.dispatches - one.dispatches <= 54, `${two.dispatches - one.dispatches} dispatches a pair of blocks`);
});

Deno.test("the steps that the bench counts keep to its aims, and the whole batch to 1.15 of the bytes it must move", async () => {
  for (const step of COUNTED_STEPS) {
    const { dispatches, boundBytes } = await stepDispatches(step.options);
    assert(dispatches <= step.most, `${step.name}: ${dispatches} dispatches`);
    if (step.options.microBatch === undefined) {
      assert(boundBytes <= 1.15 * floorBytes(step), `${step.name}: ${boundBytes} bytes`);
    }
  }
});
