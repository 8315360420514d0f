import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { readAdapter, writeAdapter } from "../../lib/adapters/files.ts";
import { describeTensors, formatTensors } from "../../lib/adapters/describe.ts";
import { writeSafetensors } from "../../lib/io/safetensors.ts";
import { float32Tensor } from "../../lib/io/tensors.ts";
import { inFolder } from "../folder.ts";

Deno.test("describeTensors() lists names, types, shapes, counts and totals", () =>
  inFolder(async (dir) => {
    const path = join(dir, "x.safetensors");
    await writeSafetensors(path, {
      w: float32Tensor([2, 600], new Float32Array(1200)),
      h: { dtype: "F16", shape: [], data: new Uint8Array(2) },
    }, { by: "me" });
    const description = await describeTensors(path);
    assertEquals(description, {
      path,
      format: "safetensors",
      tensors: [{ name: "w", dtype: "F32", shape: [2, 600], count: 1200 }, {
        name: "h",
        dtype: "F16",
        shape: [],
        count: 1,
      }],
      total: 1201,
      bytes: 4802,
      metadata: { by: "me" },
    });
    assertEquals(formatTensors(description).split("\n"), [
      `${path}: safetensors`,
      "w  F32  [2, 600]  1,200",
      "h  F16  []            1",
      "2 tensors, 1,201 numbers, 4,802 bytes",
    ]);
  }));

Deno.test("describeTensors() reads PyTorch archives", async () => {
  const path = fromFileUrl(new URL("../io/fixtures/strided.pt", import.meta.url));
  const { format, tensors, adapter } = await describeTensors(path);
  assertEquals([format, adapter], ["torch", undefined]);
  assertEquals(tensors.find(({ name }) => name === "permuted"), {
    name: "permuted",
    dtype: "F32",
    shape: [4, 2, 3],
    count: 24,
  });
});

const data = Deno.env.get("ACE_REAL_DATA") ?? "../shared/data";
const released = join(data, "ace_lora", "ACE_LoRA.pt");
const isThere = await Deno.stat(released).then(() => true, () => false);
Deno.test({
  name: `describeTensors() finds 969,217 trainable numbers in the released adapter, in every layout${
    isThere ? "" : ` (skipped: no ${released})`
  }`,
  ignore: !isThere,
  fn: () =>
    inFolder(async (dir) => {
      const first = await describeTensors(released);
      assertEquals([first.adapter, first.trainableTotal, first.tensors.length], ["authors", 969_217, 161]);
      assert(formatTensors(first).endsWith("trainable total: 969,217"));
      const adapter = await readAdapter(released);
      await writeAdapter(join(dir, "a.safetensors"), adapter, { format: "ace" });
      await writeAdapter(join(dir, "peft"), adapter, { format: "peft" });
      for (const [path, layout] of [["a.safetensors", "ace"], ["peft", "peft"]] as const) {
        const { adapter, trainableTotal } = await describeTensors(join(dir, path));
        assertEquals([adapter, trainableTotal], [layout, 969_217]);
      }
    }),
});

Deno.test("describeTensors() names the layout of a CLIP's weights and what stands before their names", async () => {
  const folder = fromFileUrl(new URL("../clip/clip_fixtures/", import.meta.url));
  const { layout, format } = await describeTensors(join(folder, "hf_shards/model.safetensors.index.json"));
  assertEquals([layout, format], ["transformers' CLIP with transformers' CLIP text transformer", "safetensors"]);
  const description = await describeTensors(join(folder, "lightning/last.ckpt"));
  const [first] = formatTensors(description).split("\n");
  assert(first!.endsWith('PyTorch archive, timm\'s ViT with BERT in open_clip below "state_dict.model."'), first);
});

Deno.test("describeTensors() says which layers of each tower an adapter has, or why it cannot be applied", () =>
  inFolder(async (dir) => {
    const entry = (encoder: "image" | "text", layer: number) => ({
      ...{ encoder, layer, target: "q" as const },
      a: float32Tensor([1, 4], new Float32Array(4)),
      b: float32Tensor([4, 1], new Float32Array(4)),
    });
    const lora = [...[0, 1, 2, 5].map((layer) => entry("image", layer)), entry("text", 3)];
    const config = { rank: 1, alpha: 1, rankStabilised: true as const, dropout: 0, positions: "custom" };
    const seen = ["00000000000a", "00000000000b"];
    const adapter = { lora, hgnn: {}, seen, config: { ...config, targets: ["q" as const], topK: null, hidden: null } };
    for (const [format, name] of [["ace", "run/adapter.safetensors"], ["peft", "peft"], ["authors", "a.pt"]] as const) {
      await Deno.mkdir(join(dir, "run"), { recursive: true });
      await writeAdapter(join(dir, name), adapter, { format });
      const typed = format === "ace" ? join(dir, "run") : join(dir, name); // the folder that training writes
      const description = await describeTensors(typed);
      assertEquals(description.loraLayers, { text: [3], image: [0, 1, 2, 5] }, format);
      assertStringIncludes(formatTensors(description), "LoRA in text layer 3, image layers 0-2 and 5\n");
      const told = "hashes of cases and patients: trained on 2, chosen by (not told)\n";
      assertStringIncludes(formatTensors(description), told);
    }
    const path = join(dir, "peft", "adapter_config.json");
    await Deno.writeTextFile(
      path,
      (await Deno.readTextFile(path)).replace(/"init_lora_weights": \w+/, '"init_lora_weights": "pissa"'),
    );
    assertStringIncludes((await describeTensors(join(dir, "peft"))).problem ?? "", "init_lora_weights");
  }));

Deno.test("describeTensors() reads a model's folder, and says what else a folder holds", () =>
  inFolder(async (dir) => {
    await assertRejects(() => describeTensors(dir), Deno.errors.NotFound, "it has nothing");
    await writeSafetensors(join(dir, "model.safetensors"), { w: float32Tensor([2], new Float32Array(2)) });
    await Deno.writeTextFile(join(dir, "vocab.txt"), "[CLS]\n");
    const description = await describeTensors(dir);
    assertEquals([description.path, description.total], [dir, 2]);
    const [first, weights, tokenizer] = formatTensors(description).split("\n");
    assertEquals([first, weights, tokenizer], [
      `${dir}: safetensors`,
      `weights: ${join(dir, "model.safetensors")}`,
      `tokenizer: ${join(dir, "vocab.txt")}`,
    ]);
  }));
