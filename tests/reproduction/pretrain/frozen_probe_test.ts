/** What the frozen probe says of weights whose answer is known. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { MINI } from "../../../lib/clip/architectures.ts";
import { loadClip } from "../../../lib/clip/load.ts";
import { initClip } from "../../../lib/clip/params.ts";
import { frozenProbe } from "../../../lib/reproduction/pretrain/frozen_probe.ts";
import { selectBackend } from "../../../lib/tensor/backend.ts";
import { disposeParams } from "../../../lib/tensor/params.ts";
import { noLeak } from "../../close.ts";

await selectBackend({ backend: "wasm" });

const FEW = { perClass: 12, sets: ["CheXpert-5xN (synthetic)"] };

Deno.test("frozenProbe() finds the findings in the shipped model's CLS token, as that was trained to hold them", async () => {
  const { params } = await loadClip();
  await noLeak(async () => {
    const figures = await frozenProbe(params, MINI, FEW);
    assertEquals(Object.keys(figures), FEW.sets);
    const { cls, patchMean } = figures[FEW.sets[0]!]!;
    assert(cls > 0.9 && patchMean > 0.9, `CLS ${cls}, patches ${patchMean}`);
  });
  disposeParams(params);
});

Deno.test("frozenProbe() finds the findings in the joint recipe's patch tokens, and hardly in its CLS token", async () => {
  const { params } = await loadClip(fromFileUrl(new URL("../../../data/mini_joint.safetensors", import.meta.url)));
  const { cls, patchMean } = (await frozenProbe(params, MINI, FEW))[FEW.sets[0]!]!;
  assert(cls < 0.75 && patchMean > cls + 0.15, `CLS ${cls}, patches ${patchMean}`);
  disposeParams(params);
});

Deno.test("frozenProbe() finds little in an untrained tower", async () => {
  const params = initClip(MINI, 1);
  const { cls, patchMean } = (await frozenProbe(params, MINI, FEW))[FEW.sets[0]!]!;
  assert(cls < 0.75 && patchMean < 0.8, `CLS ${cls}, patches ${patchMean}`);
  disposeParams(params);
});
