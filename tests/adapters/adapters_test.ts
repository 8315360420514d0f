import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import type { AdapterTarget } from "../../lib/adapters/config.ts";
import type { AdapterFile, LoraEntry } from "../../lib/adapters/record.ts";
import { type AdapterFormat, readAdapter, writeAdapter } from "../../lib/adapters/files.ts";
import { describeTensors } from "../../lib/adapters/describe.ts";
import { layersText } from "../../lib/adapters/positions.ts";
import { AdapterSizeError } from "../../lib/adapters/size_error.ts";
import { readSafetensors, writeSafetensors } from "../../lib/io/safetensors.ts";
import { float32Tensor, type TensorData, toFloat32 } from "../../lib/io/tensors.ts";
import { loadTorch, openTorch } from "../../lib/io/torch_archive.ts";
import { type TorchTree, writeTorch } from "../../lib/io/torch_writer.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import { hasPython, runPython, skipName } from "../io/_python.ts";
import { inFolder } from "../folder.ts";

const WIDTH = 6;
const next = mulberry32(5);
const random = (...shape: number[]): TensorData =>
  float32Tensor(shape, Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => next() - 0.5));

function entries(encoder: "image" | "text", layers: number[], targets: AdapterTarget[]): LoraEntry[] {
  return layers.flatMap((layer) =>
    targets.map((target) => ({ encoder, layer, target, a: random(2, WIDTH), b: random(WIDTH, 2) }))
  );
}

/** A small adapter with every part. */
function makeAdapter(targets: AdapterTarget[] = ["q", "k", "v"], layers = [0, 1]): AdapterFile {
  const bottleneck = () => ({
    down: { weight: random(3, 4), bias: random(3) },
    up: { weight: random(4, 3), bias: random(4) },
  });
  return {
    lora: [...entries("text", layers, targets), ...entries("image", layers, targets)],
    hgnn: { image: { edge: bottleneck(), node: bottleneck() }, text: { edge: bottleneck(), node: bottleneck() } },
    logitScale: Math.fround(78.3),
    config: { rank: 2, alpha: 3, rankStabilised: true, dropout: 0.25, targets, positions: "all", topK: 5, hidden: 3 },
  };
}

const PATHS: Record<AdapterFormat, string> = { ace: "adapter.safetensors", peft: "peft", authors: "adapter.pt" };

/** The adapter with its bytes as plain lists, so that views and copies compare equal. */
const plain = (adapter: AdapterFile): unknown =>
  JSON.parse(JSON.stringify(adapter, (_, value) => value instanceof Uint8Array ? [...value] : value));

for (const format of ["ace", "peft", "authors"] as const) {
  for (
    const [what, adapter] of [
      ["q, k and v of all layers", makeAdapter()],
      ["q, v and o", makeAdapter(["q", "v", "o"])],
      ["the last layers of twelve", {
        ...makeAdapter(["q"], [8, 9, 10, 11]),
        config: { ...makeAdapter(["q"]).config, positions: "up" },
      }],
      ["one tower", { ...makeAdapter(), lora: entries("image", [0, 1, 2], ["q", "k", "v"]) }],
      ["no ACE-HGNN", {
        lora: makeAdapter().lora,
        hgnn: {},
        config: { ...makeAdapter().config, topK: null, hidden: null },
      }],
    ] as [string, AdapterFile][]
  ) {
    Deno.test(`writeAdapter() and readAdapter() agree in the ${format} layout on ${what}`, () =>
      inFolder(async (dir) => {
        await writeAdapter(join(dir, PATHS[format]), adapter, { format });
        assertEquals(plain(await readAdapter(join(dir, PATHS[format]))), plain(adapter));
      }));
  }
}

Deno.test("readAdapter() splits a fused PEFT folder back exactly, with and without k", () =>
  inFolder(async (dir) => {
    for (const targets of [["q", "k", "v"], ["q", "v", "o"]] as AdapterTarget[][]) {
      const adapter = makeAdapter(targets);
      await writeAdapter(dir, adapter, { format: "peft", fusedQkv: true });
      assertEquals(plain(await readAdapter(dir)), plain(adapter));
      const { tensors } = await readSafetensors(join(dir, "adapter_model.safetensors"));
      assertEquals(tensors.get("base_model.model.visual.trunk.blocks.0.attn.qkv.lora_A.weight")!.shape, [6, WIDTH]);
      assertEquals(tensors.get("base_model.model.visual.trunk.blocks.0.attn.qkv.lora_B.weight")!.shape, [3 * WIDTH, 6]);
    }
  }));

Deno.test("writeAdapter() gives PEFT a config whose scaling is alpha / sqrt(rank), fused too", () =>
  inFolder(async (dir) => {
    await writeAdapter(dir, makeAdapter(), { format: "peft", fusedQkv: true });
    const config = JSON.parse(await Deno.readTextFile(join(dir, "adapter_config.json")));
    assertEquals([config.peft_type, config.r, config.lora_alpha, config.use_rslora, config.bias], [
      "LORA",
      2,
      3,
      true,
      "none",
    ]);
    const [[, rank]] = Object.entries(config.rank_pattern) as [[string, number]];
    const [[, alpha]] = Object.entries(config.alpha_pattern) as [[string, number]];
    assertEquals(rank, 6);
    assertAlmostEquals(alpha / Math.sqrt(rank), 3 / Math.sqrt(2), 1e-15);
  }));

Deno.test("readAdapter() keeps a plain LoRA scaling alpha / rank by another alpha", () =>
  inFolder(async (dir) => {
    await writeAdapter(dir, makeAdapter(), { format: "peft" });
    const path = join(dir, "adapter_config.json");
    const config = JSON.parse(await Deno.readTextFile(path));
    await Deno.writeTextFile(path, JSON.stringify({ ...config, use_rslora: false }));
    assertAlmostEquals((await readAdapter(dir)).config.alpha / Math.sqrt(2), 3 / 2, 1e-12);
  }));

Deno.test("readAdapter() refuses PEFT folders it would misread, by the setting's name", () =>
  inFolder(async (dir) => {
    await writeAdapter(dir, makeAdapter(), { format: "peft" });
    const path = join(dir, "adapter_config.json");
    const config = JSON.parse(await Deno.readTextFile(path));
    const bad: [Record<string, unknown>, string][] = [
      [{ use_dora: true }, "use_dora"],
      [{ peft_type: "LOHA" }, "peft_type"],
      [{ bias: "all" }, "bias"],
      [{ modules_to_save: ["head"] }, "modules_to_save"],
      [{ r: 4 }, "rank 4"],
      [{ rank_pattern: { "(a+)+$": 2 } }, "pattern"],
      [{ lora_alpha: "x" }, "numbers"],
    ];
    for (const [change, reason] of bad) {
      await Deno.writeTextFile(path, JSON.stringify({ ...config, ...change }));
      const error = await assertRejects(() => readAdapter(dir), SyntaxError, reason);
      assert(error.message.includes(dir) && !error.message.includes("\n"), error.message);
    }
    await Deno.writeTextFile(path, "[]");
    await assertRejects(() => readAdapter(dir), SyntaxError, "JSON record");
  }));

Deno.test("readAdapter() and describeTensors() read the .bin that PEFT writes without safetensors, or name what is missing", () =>
  inFolder(async (dir) => {
    const adapter = makeAdapter();
    await writeAdapter(dir, adapter, { format: "peft" });
    const path = join(dir, "adapter_model.safetensors");
    const { tensors } = await readSafetensors(path);
    await Deno.remove(path);
    await assertRejects(
      () => readAdapter(dir),
      SyntaxError,
      "must hold adapter_model.safetensors or adapter_model.bin",
    );
    await writeTorch(join(dir, "adapter_model.bin"), tensors);
    assertEquals(plain(await readAdapter(dir)), plain(adapter));
    assertEquals((await describeTensors(dir)).adapter, "peft");
  }));

Deno.test("readAdapter() of a folder takes adapter.safetensors, whose config beside it is named as PEFT's", () =>
  inFolder(async (dir) => {
    const adapter = makeAdapter();
    await writeAdapter(join(dir, "adapter.safetensors"), adapter, { format: "ace" });
    assertEquals((await Deno.stat(join(dir, "adapter_config.json"))).isFile, true);
    assertEquals(plain(await readAdapter(dir)), plain(adapter));
  }));

/** `B A`, row-major. */
function product(b: TensorData, a: TensorData): number[] {
  const [rows, rank] = b.shape as [number, number], width = a.shape[1]!;
  const [left, right] = [toFloat32(b), toFloat32(a)];
  return Array.from({ length: rows * width }, (_, i) => {
    const [row, column] = [Math.floor(i / width), i % width];
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += left[row * rank + r]! * right[r * width + column]!;
    return sum;
  });
}

Deno.test("readAdapter() splits a fused update as PEFT trains it, whose rows are those of q, k and v, exactly", () =>
  inFolder(async (dir) => {
    await writeAdapter(dir, makeAdapter(), { format: "peft", fusedQkv: true });
    const path = join(dir, "adapter_model.safetensors");
    const { tensors } = await readSafetensors(path);
    const name = (matrix: "A" | "B"): string => `base_model.model.visual.trunk.blocks.0.attn.qkv.lora_${matrix}.weight`;
    tensors.set(name("B"), random(3 * WIDTH, 6));
    await writeSafetensors(path, tensors);
    const { lora } = await readAdapter(dir);
    const parts = lora.filter(({ encoder, layer, target }) => encoder === "image" && layer === 0 && target !== "o");
    assertEquals(parts.map(({ target }) => target), ["q", "k", "v"]);
    assertEquals(
      parts.flatMap(({ a, b }) => product(b, a)),
      product(tensors.get(name("B"))!, tensors.get(name("A"))!),
    );
    tensors.set(name("B"), random(3 * WIDTH + 1, 6));
    await writeSafetensors(path, tensors);
    await assertRejects(() => readAdapter(dir), SyntaxError, "must have rows of q, k and v: found");
  }));

Deno.test("readAdapter() refuses an authors' file whose parts do not fit together", () =>
  inFolder(async (dir) => {
    const path = join(dir, "adapter.pt");
    await writeAdapter(path, makeAdapter(), { format: "authors" });
    const tree = await loadTorch(path) as ReadonlyMap<string, ReadonlyMap<string, TorchTree>>;
    const change = async (part: "weights" | "metadata", entries: Record<string, TorchTree>, reason: string) => {
      const changed = new Map([...tree.get(part)!, ...Object.entries(entries)]);
      await writeTorch(path, new Map([...tree, [part, changed]]));
      const error = await assertRejects(() => readAdapter(path), SyntaxError, reason);
      assert(error.message.includes(path) && !error.message.includes("\n"), error.message);
    };
    const narrow = { w_lora_A: random(2, WIDTH - 1), w_lora_B: random(WIDTH, 2) };
    const layer = tree.get("weights")!.get("layer_1") as ReadonlyMap<string, TorchTree>;
    await change(
      "weights",
      { layer_1: new Map([...layer, ["k_proj", narrow]]) },
      "text layer 1 k must have the tower's width 6",
    );
    await change("weights", { logit_scale: random(2) }, "logit_scale must be one number");
    const wide = {
      "down.weight": random(4, 4),
      "down.bias": random(4),
      "up.weight": random(4, 4),
      "up.bias": random(4),
    };
    await change("weights", { text_node_adapter: wide }, "all bottlenecks of ACE-HGNN must have one size");
    await change("metadata", { r: 3 }, "must be [3, in] and [out, 3]");
  }));

Deno.test("readAdapter() refuses a hidden width that is not the config's", () =>
  inFolder(async (dir) => {
    const path = join(dir, "adapter.safetensors");
    await writeAdapter(path, makeAdapter(), { format: "ace" });
    const { tensors, metadata } = await readSafetensors(path);
    const config = JSON.stringify({ ...JSON.parse(metadata["config"]!), hidden: 9 });
    await writeSafetensors(path, tensors, { ...metadata, config });
    await assertRejects(() => readAdapter(path), SyntaxError, "hidden width 9 of its config: found 3");
  }));

Deno.test("writeAdapter() refuses NaN, and readAdapter() a file with it, by name", () =>
  inFolder(async (dir) => {
    const adapter = makeAdapter();
    toFloat32(adapter.lora[0]!.b)[3] = NaN;
    await assertRejects(
      () => writeAdapter(join(dir, "x.pt"), adapter, { format: "authors" }),
      RangeError,
      "text layer 0 q B",
    );
    assertEquals([...Deno.readDirSync(dir)].length, 0);
    const path = join(dir, "adapter.safetensors");
    await writeAdapter(path, makeAdapter(), { format: "ace" });
    const { tensors, metadata } = await readSafetensors(path);
    toFloat32(tensors.get("hgnn.image.node.up.bias")!)[1] = Infinity;
    await writeSafetensors(path, tensors, metadata);
    await assertRejects(() => readAdapter(path), RangeError, "image node up.bias");
  }));

Deno.test("readAdapter() refuses unknown, half and misshapen tensors", () =>
  inFolder(async (dir) => {
    const path = join(dir, "adapter.safetensors");
    await writeAdapter(path, makeAdapter(), { format: "ace" });
    const { tensors, metadata } = await readSafetensors(path);
    const change = async (edit: (t: Map<string, TensorData>) => void, reason: string): Promise<void> => {
      const copy = new Map(tensors);
      edit(copy);
      await writeSafetensors(path, copy, metadata);
      await assertRejects(() => readAdapter(path), SyntaxError, reason);
    };
    await change((t) => t.set("extra", random(1)), '"extra"');
    await change((t) => t.delete("lora.text.0.q.b"), "b beside it");
    await change((t) => t.delete("lora.text.0.q.a"), "lora.text.0.q.b");
    await change((t) => t.delete("hgnn.text.edge.up.bias"), "lacks edge.up.bias");
    await change((t) => t.set("lora.text.0.q.a", random(3, WIDTH)), "text layer 0 q");
    await change((t) => t.set("hgnn.text.edge.up.bias", random(9)), "text edge bottleneck");
  }));

const data = Deno.env.get("ACE_REAL_DATA") ?? "../shared/data";
const released = join(data, "ace_lora", "ACE_LoRA.pt");
const isThere = await Deno.stat(released).then(() => true, () => false);
const numbers = (adapter: AdapterFile): number =>
  adapter.lora.reduce((n, { a, b }) => n + toFloat32(a).length + toFloat32(b).length, 0);

Deno.test({
  name: `readAdapter() places the released layers: text first, then image${
    isThere ? "" : ` (skipped: no ${released})`
  }`,
  ignore: !isThere,
  fn: () =>
    inFolder(async (dir) => {
      const adapter = await readAdapter(released);
      assertEquals(adapter.lora.length, 72);
      assertEquals(numbers(adapter), 442_368);
      assertEquals(adapter.config, {
        rank: 4,
        alpha: 1,
        rankStabilised: true,
        dropout: 0.1,
        targets: ["q", "k", "v"],
        positions: "all",
        topK: 5,
        hidden: 128,
      });
      const file = await openTorch(released);
      const raw = await file.read("weights.layer_12.k_proj.w_lora_A");
      file.close();
      const actual = adapter.lora.find((e) => e.encoder === "image" && e.layer === 0 && e.target === "k")!;
      assertEquals([...toFloat32(actual.a)], [...toFloat32(raw)]);
      assertAlmostEquals(adapter.logitScale!, 78.34862518310547, 1e-12);
      for (const format of ["ace", "peft", "authors"] as const) {
        await writeAdapter(join(dir, PATHS[format]), adapter, { format });
        const back = await readAdapter(join(dir, PATHS[format]));
        assertEquals(back.config, adapter.config);
        assertEquals(back.logitScale, adapter.logitScale);
        back.lora.forEach((entry, i) => assertEquals(entry.b.data, adapter.lora[i]!.b.data));
      }
    }),
});

/** PEFT on a small model with open_clip's module names; prints each adapted weight minus the base, as PEFT merges it. */
const PEFT_MERGE = `
import json, sys, warnings
warnings.filterwarnings("ignore")
import torch
from peft import PeftModel
folder, fused = sys.argv[1], sys.argv[2] == "fused"
class Node(torch.nn.Module):
    def __init__(self, /, **parts):
        super().__init__()
        for name, part in parts.items(): setattr(self, name, part)
    def forward(self, x): return x
lin = lambda out=6: torch.nn.Linear(6, out, bias=False)
attn = lambda: Node(qkv=lin(18), proj=lin()) if fused else Node(q=lin(), k=lin(), v=lin(), proj=lin())
bert = lambda: Node(attention=Node(self=Node(query=lin(), key=lin(), value=lin()), output=Node(dense=lin())))
model = Node(
    visual=Node(trunk=Node(blocks=torch.nn.ModuleList(Node(attn=attn()) for _ in range(2)))),
    text=Node(transformer=Node(encoder=Node(layer=torch.nn.ModuleList(bert() for _ in range(2))))),
)
base = {k: v.clone() for k, v in model.state_dict().items()}
merged = PeftModel.from_pretrained(model, folder).merge_and_unload().state_dict()
out = {}
for name, weight in merged.items():
    delta = weight - base[name]
    if name.endswith("qkv.weight"):
        for part, rows in zip("qkv", delta.chunk(3)): out[name.replace("qkv", part)] = rows.reshape(-1).tolist()
    else:
        out[name] = delta.reshape(-1).tolist()
print(json.dumps(out))
`;

const MODULE_NAMES: Record<string, (e: LoraEntry) => string> = {
  text: (e) =>
    `text.transformer.encoder.layer.${e.layer}.attention.self.${
      { q: "query", k: "key", v: "value", o: "" }[e.target]
    }.weight`,
  image: (e) => `visual.trunk.blocks.${e.layer}.attn.${e.target}.weight`,
};

const hasPeft = await hasPython("torch", "peft");
for (const fusedQkv of [false, true]) {
  Deno.test({
    name: skipName(
      `writeAdapter() writes a folder PEFT merges to our weights${fusedQkv ? ", fused" : ""}`,
      hasPeft,
      "torch and peft",
    ),
    ignore: !hasPeft,
    fn: () =>
      inFolder(async (dir) => {
        const adapter = makeAdapter();
        await writeAdapter(dir, adapter, { format: "peft", fusedQkv });
        const merged = JSON.parse(await runPython(PEFT_MERGE, [dir, fusedQkv ? "fused" : "split"])) as Record<
          string,
          number[]
        >;
        for (const entry of adapter.lora) {
          const [a, b] = [toFloat32(entry.a), toFloat32(entry.b)];
          const delta = merged[MODULE_NAMES[entry.encoder]!(entry)]!;
          for (let i = 0; i < WIDTH; i++) {
            for (let j = 0; j < WIDTH; j++) {
              const product = b[i * 2]! * a[j]! + b[i * 2 + 1]! * a[WIDTH + j]!;
              assertAlmostEquals(delta[i * WIDTH + j]!, 3 / Math.sqrt(2) * product, 1e-6);
            }
          }
        }
        const untouched = Object.entries(merged).filter(([name]) => /attn\.proj|output\.dense/.test(name));
        assertEquals(untouched.length, 4);
        assert(untouched.every(([, delta]) => delta.every((x) => x === 0)));
      }),
  });
}

Deno.test("readAdapter() refuses a damaged config by the setting's name, and weights that are no adapter", () =>
  inFolder(async (dir) => {
    const path = join(dir, "adapter.safetensors");
    await writeAdapter(path, makeAdapter(), { format: "ace" });
    const { tensors, metadata } = await readSafetensors(path);
    const config = JSON.parse(metadata["config"]!);
    for (
      const [change, reason] of [
        [{ rank: 0 }, "setting rank"],
        [{ rank: 1e300 }, "setting rank"],
        [{ alpha: "1" }, "setting alpha"],
        [{ rankStabilised: false }, "setting rankStabilised"],
        [{ dropout: 1 }, "setting dropout"],
        [{ targets: ["q", "x"] }, "setting targets"],
        [{ topK: 2.5 }, "setting topK"],
        [{ hidden: -1 }, "setting hidden"],
        [{ positions: 4 }, "setting positions"],
      ] as [Record<string, unknown>, string][]
    ) {
      await writeSafetensors(path, tensors, { ...metadata, config: JSON.stringify({ ...config, ...change }) });
      await assertRejects(() => readAdapter(path), SyntaxError, reason);
    }
    for (const text of ["", "[]", "{", "null"]) {
      await writeSafetensors(path, tensors, { ...metadata, config: text });
      await assertRejects(() => readAdapter(path), SyntaxError, "its config must be");
    }
    await writeSafetensors(path, { w: random(2) });
    await assertRejects(() => readAdapter(path), SyntaxError, "none under an adapter's names");
    await assertRejects(() => readAdapter(join(dir, "absent.pt")), Error, "absent.pt");
  }));

Deno.test("readAdapter() refuses an authors' file whose layers do not fit its position", () =>
  inFolder(async (dir) => {
    const path = join(dir, "x.pt");
    const layer = { q_proj: { w_lora_A: random(2, WIDTH), w_lora_B: random(WIDTH, 2) } };
    const write = (layers: number[], metadata: Record<string, string | number>): Promise<void> =>
      writeTorch(path, { weights: Object.fromEntries(layers.map((i) => [`layer_${i}`, layer])), metadata });
    await write([0, 1, 2, 3, 4, 5, 6, 7], { position: "up" });
    const { lora } = await readAdapter(path);
    assertEquals(
      lora.map(({ encoder, layer }) => `${encoder} ${layer}`).join(),
      "text 8,text 9,text 10,text 11,image 8,image 9,image 10,image 11",
    );
    await write([0, 1], { position: "up" });
    await assertRejects(
      () => readAdapter(path),
      SyntaxError,
      'position "up" names 8 layers of towers of 12 (text) and 12 (image)',
    );
    await write([0, 1, 2], { position: "all" });
    await assertRejects(() => readAdapter(path), SyntaxError, "it has LoRA in 3");
    await write([0, 2], { position: "all" });
    await assertRejects(() => readAdapter(path), SyntaxError, "no gap");
    await write([0, 1], { position: "sideways" });
    await assertRejects(() => readAdapter(path), SyntaxError, '"sideways"');
    await write([0, 1], { position: "all", loss_type: "anything" });
    assertEquals((await readAdapter(path)).lora.length, 2);
    const places = async (depths?: { text: number; image: number }): Promise<string> =>
      layersText((await readAdapter(path, depths ? { depths } : {})).lora);
    await write([0, 1, 2, 3, 4], { position: "up" });
    assertEquals(await places({ text: 6, image: 9 }), "text layers 4-5, image layers 6-8");
    await assertRejects(
      () => places({ text: 6, image: 6 }),
      AdapterSizeError,
      "of 6 (text) and 6 (image), the model's",
    );
    await write([0], { position: "top", encoder: "vision" });
    assertEquals([await places(), await places({ text: 2, image: 24 })], ["image layer 11", "image layer 23"]);
    await write([0, 1, 2, 3, 4], { position: "all" });
    assertEquals(await places({ text: 2, image: 3 }), "text layers 0-1, image layers 0-2");
    const wide = { q_proj: { w_lora_A: random(2, 2 * WIDTH), w_lora_B: random(2 * WIDTH, 2) } };
    const weights = { layer_0: layer, layer_1: wide, layer_2: wide, layer_3: wide };
    await writeTorch(path, { weights, metadata: { position: "all" } });
    assertEquals(await places(), "text layer 0, image layers 0-2", "towers of other widths are told apart");
  }));
