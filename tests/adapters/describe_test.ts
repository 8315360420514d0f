import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { readAdapter, writeAdapter } from "../../lib/adapters/files.ts";
import { describeTensors, formatTensors } from "../../lib/adapters/describe.ts";
import { writeSafetensors } from "../../lib/io/safetensors.ts";
import { float32Tensor } from "../../lib/io/tensors.ts";

async function inTempDir(fn: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await fn(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("describeTensors() lists names, types, shapes, counts and totals", () =>
  inTempDir(async (dir) => {
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
    inTempDir(async (dir) => {
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
