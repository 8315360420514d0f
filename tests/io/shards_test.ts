import { assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { openTensorFile } from "../../lib/io/open.ts";
import { openShards } from "../../lib/io/shards.ts";
import { toFloat32 } from "../../lib/io/tensors.ts";
import { CASES, needsCase } from "../cases.ts";

const FIXTURES = fromFileUrl(new URL("./fixtures/", import.meta.url));

for (const ending of ["safetensors", "bin"]) {
  for (const name of [`part.${ending}.index.json`, `part-00001-of-00002.${ending}`, `part-00002-of-00002.${ending}`]) {
    Deno.test(`openTensorFile() reads all shards given ${name}`, async () => {
      const file = await openTensorFile(join(FIXTURES, name));
      try {
        assertEquals([...file.entries.keys()], ["weight", "bias"]);
        assertEquals([...toFloat32(await file.read("weight"))], [0, 1, 2, 3, 4, 5]);
        assertEquals([...toFloat32(await file.read("bias"))], [3, 4, 5]);
        await assertRejects(() => file.read("nope"), RangeError, name);
      } finally {
        file.close();
      }
    });
  }
}

/** Runs a body in a folder with the two safetensors shards, which is removed afterwards. */
async function withShards(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const i of [1, 2]) {
      const name = `part-0000${i}-of-00002.safetensors`;
      await Deno.copyFile(join(FIXTURES, name), join(folder, name));
    }
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("openTensorFile() names the shard that is missing, and the tensor that is twice or nowhere", () =>
  withShards(async (folder) => {
    const [first, second] = [1, 2].map((i) => join(folder, `part-0000${i}-of-00002.safetensors`)) as [string, string];
    const index = join(folder, "part.safetensors.index.json");
    const refused = async (map: unknown, reason: string): Promise<void> => {
      await Deno.writeTextFile(index, typeof map === "string" ? map : JSON.stringify({ weight_map: map }));
      await assertRejects(() => openTensorFile(index), SyntaxError, reason);
    };
    const name = "part-00001-of-00002.safetensors";
    await refused({ weight: name, scale: name }, `"scale" must be in "${name}"`);
    await refused({ weight: "../part.safetensors" }, "must be a name");
    await refused({ weight: 1 }, "must be a name");
    await refused({}, "found 0");
    await refused("{", "must be JSON");
    await refused("[]", "weight_map must be a record");
    await Deno.copyFile(first, second);
    await assertRejects(() => openTensorFile(first), SyntaxError, '"weight" is in');
    await Deno.remove(second);
    await assertRejects(() => openTensorFile(first), SyntaxError, `its shard "${second}" is missing`);
    await assertRejects(() => openShards([second], "set", openTensorFile), SyntaxError, '"set"');
  }));

Deno.test({
  ...needsCase(
    "messages",
    "openTensorFile() reads a NumPy scalar and sharded weights of the field: the shipped model's numbers",
  ),
  fn: async () => {
    const shipped = await openTensorFile(
      fromFileUrl(new URL("../../data/mini_generalist.safetensors", import.meta.url)),
    );
    for (const [path, prefix] of [["numpy_scalar.pt", "state_dict."], ["sharded/model.safetensors.index.json", ""]]) {
      const file = await openTensorFile(join(CASES, "messages", path!));
      assertEquals(file.entries.size, shipped.entries.size, path);
      for (const name of shipped.entries.keys()) {
        assertEquals((await file.read(prefix + name)).data, (await shipped.read(name)).data, `${path} ${name}`);
      }
      if (prefix !== "") assertEquals(file.metadata, { epoch: 3, best_acc1: 0.5 });
      file.close();
    }
    shipped.close();
  },
});
