/** Which attention of the text tower ACE-HGNN reads. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { type AceLoraConfig, aceLoraModel, initAceLora, type TextAffinity, textAffinityOf } from "../lib/ace_lora.ts";
import { adapterOf, loadAdapter, saveAdapter } from "../lib/adapters/model.ts";
import { readAdapter, writeAdapter } from "../lib/adapters/files.ts";
import { initClip } from "../lib/clip/params.ts";
import { float32Tensor } from "../lib/io/tensors.ts";
import { writeTorch } from "../lib/io/torch_writer.ts";
import type { LoraPositions } from "../lib/peft/lora/config.ts";
import { testOnBackends } from "./backends.ts";
import { SMALL, SMALL_ACE, smallIds } from "./small_model.ts";
import { inFolder } from "./folder.ts";

const at = (positions: LoraPositions, textAffinity?: TextAffinity): AceLoraConfig => ({
  ...SMALL_ACE,
  lora: { ...SMALL_ACE.lora!, positions },
  ...(textAffinity ? { textAffinity } : {}),
});

Deno.test("textAffinityOf() is the released code's: logits where the last text layer has no LoRA", () => {
  for (const positions of ["all", "top1", "half-up"] as const) {
    assertEquals(textAffinityOf(at(positions)), "probabilities");
  }
  assertEquals(textAffinityOf(at("half-bottom")), "logits");
  assertEquals(textAffinityOf(at("half-bottom", "probabilities")), "probabilities");
  assertEquals(textAffinityOf(at("all", "logits")), "logits");
  assertEquals(textAffinityOf({ ...SMALL_ACE, lora: { ...SMALL_ACE.lora!, encoders: ["image"] } }), "logits");
  assertEquals(textAffinityOf({ encoders: SMALL, hgnn: SMALL_ACE.hgnn! }), "logits");
});

testOnBackends("textFeatures() without LoRA in the last text layer are those of logits, and choose pads", async () => {
  const base = initClip(SMALL, 1);
  const params = await initAceLora(base, at("half-bottom"));
  const features = async (
    config: AceLoraConfig,
  ): Promise<number[]> => [...await aceLoraModel(config).textFeatures(params, smallIds(6)).data()];
  const released = await features(at("half-bottom"));
  assertEquals(released, await features(at("half-bottom", "logits")));
  const probabilities = await features(at("half-bottom", "probabilities"));
  assert(released.some((x, i) => Math.abs(x - probabilities[i]!) > 1e-3));
});

Deno.test("an adapter keeps its text affinity in every layout; a file that says none keeps the probabilities", async () => {
  await inFolder(async (folder) => {
    const base = initClip(SMALL, 1);
    const paths = { ace: "a.safetensors", peft: "peft", authors: "a.pt" } as const;
    for (const format of ["ace", "peft", "authors"] as const) {
      for (const config of [at("half-bottom"), at("half-bottom", "probabilities"), at("all"), at("all", "logits")]) {
        const path = join(folder, paths[format]);
        await saveAdapter(path, await initAceLora(base, config), config, { format });
        assertEquals((await loadAdapter(path, base, SMALL)).config.textAffinity, textAffinityOf(config), format);
      }
    }
    const file = await adapterOf(await initAceLora(base, at("half-bottom")), at("half-bottom"));
    const { textAffinity: _, ...old } = file.config;
    await writeAdapter(join(folder, "old.safetensors"), { ...file, config: old }, { format: "ace" });
    assertEquals(
      (await loadAdapter(join(folder, "old.safetensors"), base, SMALL)).config.textAffinity,
      "probabilities",
    );
  });
});

Deno.test("an authors' file whose position leaves out the last text layer was trained with logits", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "a.pt");
    const zeros = (...shape: number[]) => float32Tensor(shape, new Array(shape.reduce((a, b) => a * b, 1)).fill(0));
    const layer = { q_proj: { w_lora_A: zeros(2, 4), w_lora_B: zeros(4, 2) } };
    const module = { "down.weight": zeros(3, 5), "down.bias": zeros(3), "up.weight": zeros(5, 3), "up.bias": zeros(5) };
    for (
      const [position, layers, expected] of [["bottom", 4, "logits"], ["up", 4, undefined], [
        "all",
        12,
        undefined,
      ]] as const
    ) {
      const weights = {
        ...Object.fromEntries(Array.from({ length: 2 * layers }, (_, i) => [`layer_${i}`, layer])),
        text_edge_adapter: module,
        text_node_adapter: module,
      };
      await writeTorch(path, {
        weights,
        metadata: { r: 2, topk: 5, params: ["q"], position, loss_type: "clip_loss_ace_hgnn" },
      });
      assertEquals((await readAdapter(path)).config.textAffinity, expected, position);
    }
  });
});
