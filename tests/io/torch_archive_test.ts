import { assert, assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { openTensorFile } from "../../lib/io/open.ts";
import { readAllTensors } from "../../lib/io/tensor_file.ts";
import { toFloat32 } from "../../lib/io/tensors.ts";
import { loadTorch, openTorch } from "../../lib/io/torch_archive.ts";
import { isTensorData, type PickleValue } from "../../lib/io/torch_tree.ts";
import { inFolder } from "../folder.ts";

const FIXTURES = fromFileUrl(new URL("./fixtures/", import.meta.url));
interface Expected {
  dtype: string;
  shape: number[];
  values: number[];
}
const expected = JSON.parse(await Deno.readTextFile(join(FIXTURES, "expected.json"))).files as Record<
  string,
  Record<string, Expected>
>;

for (const [name, tensors] of Object.entries(expected)) {
  Deno.test(`openTensorFile() reads every number of ${name} as torch does`, async () => {
    const file = await openTensorFile(join(FIXTURES, name));
    try {
      assertEquals([...file.entries.keys()].sort(), Object.keys(tensors).sort());
      for (const [key, t] of await readAllTensors(file)) {
        const { dtype, shape, values } = tensors[key]!;
        assertEquals([t.dtype, t.shape], [dtype, shape] as [typeof t.dtype, number[]]);
        assertEquals(file.entries.get(key), { dtype: t.dtype, shape });
        assertEquals([...toFloat32(t)], values, key);
      }
    } finally {
      file.close();
    }
  });
}

for (const protocol of [2, 3, 4, 5]) {
  Deno.test(`loadTorch() keeps the nesting and the plain values of a pickle of protocol ${protocol}`, async () => {
    const tree = await loadTorch(join(FIXTURES, `nested_p${protocol}.pt`)) as Map<string, PickleValue>;
    assertEquals([...(tree.get("state_dict") as Map<string, PickleValue>).keys()].slice(0, 2), ["0.weight", "0.bias"]);
    assertEquals(tree.get("size"), [3, 2]);
    assertEquals(tree.get("pair"), [1, "two"]);
    assertEquals(tree.get("mixed"), [1, 2.5, true, null, "é", -7, 2 ** 40, 2n ** 70n]);
    assertEquals([tree.get("epoch"), tree.get("lr"), tree.get("name")], [9, 1e-3, "run"]);
    assertEquals(tree.get("empty"), new Map());
    const deep = tree.get("deep") as Map<string, Map<string, Map<number, PickleValue>>>;
    const leaf = deep.get("a")!.get("b")!.get(0)!;
    assert(isTensorData(leaf));
    assertEquals([...toFloat32(leaf)], [4]);
  });
}

Deno.test("openTorch() gives the other leaves as metadata by dotted name", async () => {
  const file = await openTorch(join(FIXTURES, "nested_p2.pt"));
  file.close();
  assertEquals(file.metadata, {
    size: [3, 2],
    pair: [1, "two"],
    mixed: [1, 2.5, true, null, "é", -7, 2 ** 40, 2n ** 70n],
    epoch: 9,
    lr: 1e-3,
    name: "run",
  });
  await assertRejects(() => file.read("nope"), RangeError, '"nope"');
});

for (const protocol of [2, 4]) {
  Deno.test(`openTorch() reads past a framework's objects in a pickle of protocol ${protocol}, and NumPy's scalars as numbers`, async () => {
    const file = await openTorch(join(FIXTURES, `framework_p${protocol}.pt`));
    try {
      assertEquals([...file.entries.keys()], [
        "state_dict.module.weight",
        "state_dict.module.bias",
        "optimizer.state.0.step",
      ]);
      assertEquals([...toFloat32(await file.read("state_dict.module.weight"))], [0, 1, 2, 3, 4, 5]);
      assertEquals(file.metadata, {
        epoch: 3,
        best: 0.75,
        half: 0.5,
        done: true,
        big: 7,
        byte: 200,
        "states.numpy.0": "MT19937",
        "states.numpy.2": 2,
        "milestones.3": 2,
        lr: 0.1,
      });
      const tree = await loadTorch(file.path) as Map<string, PickleValue>;
      assertEquals([tree.get("hyper_parameters"), tree.get("args"), tree.get("seen")], [null, null, null]);
    } finally {
      file.close();
    }
  });
}

Deno.test("openTorch() reads a TorchScript program's tensors under its modules' names, and none of its code", async () => {
  const file = await openTorch(join(FIXTURES, "script.pt"));
  try {
    assertEquals([...file.entries], [
      ["scale", { dtype: "F16", shape: [] }],
      ["resolution", { dtype: "I64", shape: [] }],
      ["blocks.0.fc.weight", { dtype: "F16", shape: [2, 3] }],
      ["blocks.0.fc.bias", { dtype: "F16", shape: [2] }],
    ]);
    assertEquals([...toFloat32(await file.read("blocks.0.fc.weight"))], [0, 1, 2, 3, 4, 5]);
    assertEquals([...toFloat32(await file.read("blocks.0.fc.bias"))], [0.25, -1]);
    assertEquals(file.metadata["blocks.0.sizes"], [4, 5]);
  } finally {
    file.close();
  }
});

Deno.test("openTensorFile() refuses what is no weights file with a word on what it is", async () => {
  await inFolder(async (dir) => {
    const write = async (bytes: string | Uint8Array): Promise<string> => {
      const path = join(dir, "x.bin");
      await Deno.writeFile(path, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
      return path;
    };
    await assertRejects(() => openTensorFile(join(FIXTURES, "legacy.pt")), SyntaxError, "legacy format");
    await assertRejects(async () => openTensorFile(await write("")), SyntaxError, "empty");
    await assertRejects(
      async () => openTensorFile(await write("version https://git-lfs.github.com/spec/v1\n")),
      SyntaxError,
      "Git LFS",
    );
    await assertRejects(async () => openTensorFile(await write("<!doctype html>")), SyntaxError, "web page");
    await assertRejects(async () => openTensorFile(await write("hello, world")), SyntaxError, "safetensors file or");
    await assertRejects(async () => openTensorFile(await write("\0".repeat(257) + "ustar")), SyntaxError, "tar");
    await assertRejects(() => openTensorFile(join(dir, "absent.bin")), Error, "absent.bin");
    await assertRejects(() => openTensorFile(dir), Error, dir);
  });
});

Deno.test("openTorch() refuses a pickled module by the name of its class", async () => {
  const error = await assertRejects(() => openTorch(join(FIXTURES, "module.pt")), SyntaxError);
  assert(
    error.message.includes('"torch.nn.modules.linear.Linear"') && error.message.includes("module.pt"),
    error.message,
  );
});

const data = Deno.env.get("ACE_REAL_DATA") ?? "../shared/data";
const released = join(data, "ace_lora", "ACE_LoRA.pt");
const isThere = await Deno.stat(released).then(() => true, () => false);
Deno.test({
  name: `openTorch() reads all 969,217 numbers of the released adapter${isThere ? "" : ` (skipped: no ${released})`}`,
  ignore: !isThere,
  fn: async () => {
    const file = await openTorch(released);
    try {
      let numbers = 0;
      for (const t of (await readAllTensors(file)).values()) numbers += toFloat32(t).length;
      assertEquals(numbers, 969_217);
      assertEquals(file.entries.size, 24 * 3 * 2 + 16 + 1);
      assertEquals(file.metadata["metadata.r"], 4);
      assertEquals(file.metadata["metadata.params"], ["q", "k", "v"]);
      assertEquals(file.entries.get("weights.layer_0.q_proj.w_lora_A")!.shape, [4, 768]);
    } finally {
      file.close();
    }
  },
});
