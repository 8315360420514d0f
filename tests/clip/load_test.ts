import { assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { layerCount } from "../../lib/clip/checkpoint/find_layout.ts";
import { KeyReportError } from "../../lib/io/key_report.ts";
import { readSafetensors } from "../../lib/io/safetensors.ts";
import { float32Tensor, type TensorData } from "../../lib/io/tensors.ts";
import { writeTorch } from "../../lib/io/torch_writer.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams, namedTensors } from "../../lib/tensor/params.ts";

const MINI = fromFileUrl(new URL("../../data/mini_generalist.safetensors", import.meta.url));

async function withWeights(
  change: (tensors: Map<string, TensorData>) => Parameters<typeof writeTorch>[1],
  use: (path: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const { tensors } = await readSafetensors(MINI);
    const path = join(folder, "weights.pt");
    await writeTorch(path, change(tensors));
    await use(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const wrapper of ["", "module.", "_orig_mod.", "module._orig_mod."]) {
  for (const key of [undefined, "state_dict", "model", "model_state_dict"]) {
    Deno.test(`loadClip() reads names that begin with "${key ? `${key}.` : ""}${wrapper}"`, async () => {
      await selectBackend({ backend: "cpu" });
      const wrap = (tensors: Map<string, TensorData>): Parameters<typeof writeTorch>[1] => {
        const named = new Map([...tensors].map(([name, tensor]) => [wrapper + name, tensor]));
        return key === undefined ? named : { epoch: 3, [key]: Object.fromEntries(named) };
      };
      await withWeights(wrap, async (path) => {
        const { params } = await loadClip({ weights: path });
        const { tensors } = await readSafetensors(MINI);
        const scale = namedTensors(params).get("logitScale")!;
        assertEquals(
          new Uint8Array((await scale.data()).buffer as ArrayBuffer),
          Uint8Array.from(tensors.get("logit_scale")!.data),
        );
        disposeParams(params);
      });
    });
  }
}

Deno.test("loadClip() reports a missing tensor that tells a size in the table, like any other", async () => {
  const sizes = ["visual.head.proj.weight", "visual.trunk.pos_embed", "text.proj.0.weight"];
  for (const name of sizes) {
    const without = (tensors: Map<string, TensorData>) => new Map([...tensors].filter(([key]) => key !== name));
    await withWeights(without, async (path) => {
      const notes: string[] = [];
      const error = await assertRejects(
        () => loadClip({ weights: path }, { note: (text) => notes.push(text) }),
        KeyReportError,
        `Cannot load "${path}" (timm's ViT with BERT in open_clip) as "${name}"`,
      );
      assertEquals(error.report.missing.map(({ name }) => name), [name]);
      assertEquals(notes.length === 1 && notes[0]!.includes(`missing  ${name}`), true, notes[0]);
    });
  }
});

Deno.test("loadClip() takes a block's number beyond all reason for an unused tensor", async () => {
  await selectBackend({ backend: "cpu" });
  const name = "visual.trunk.blocks.100000000.norm1.weight";
  await withWeights((tensors) => new Map([...tensors, [name, float32Tensor([1], [0])]]), async (path) => {
    const notes: string[] = [];
    const { params } = await loadClip({ weights: path }, { note: (text) => notes.push(text) });
    disposeParams(params);
    assertEquals(notes.length === 1 && notes[0]!.includes(`unused  ${name}`), true, notes[0]);
  });
});

Deno.test("layerCount() is one more than the highest number below the prefix", () => {
  const shapes = new Map(["blocks.0.a", "blocks.0.b", "blocks.2.a", "blocks.x", "other.3.a"].map((name) => [name, []]));
  assertEquals(layerCount(shapes, "blocks."), 3);
  assertEquals(layerCount(shapes, "layers."), 0);
  assertEquals(layerCount(new Map([...shapes, ["blocks.6.a", []]]), "blocks."), 3, "6 names hold no 7 blocks");
});
