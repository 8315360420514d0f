import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { checkWritable, writeFileAtomic, writeFileAtomicWith } from "../../lib/io/files.ts";
import { writeSafetensors } from "../../lib/io/safetensors.ts";
import { float32Tensor } from "../../lib/io/tensors.ts";
import { inFolder } from "../folder.ts";

Deno.test("writeFileAtomic() makes folders, replaces a file, and leaves nothing beside it", async () => {
  await inFolder(async (dir) => {
    const path = join(dir, "a", "b", "x.txt");
    await writeFileAtomic(path, "first, longer");
    await writeFileAtomic(path, new TextEncoder().encode("é"));
    assertEquals(await Deno.readTextFile(path), "é");
    assertEquals([...Deno.readDirSync(join(dir, "a", "b"))].map(({ name }) => name), ["x.txt"]);
  });
});

Deno.test("writeFileAtomicWith() keeps the old file when the writer fails half-way", async () => {
  await inFolder(async (dir) => {
    const path = join(dir, "x.txt");
    await writeFileAtomic(path, "old");
    const failing = writeFileAtomicWith(path, async (file) => {
      await file.write(new TextEncoder().encode("new"));
      throw new Error("no room");
    });
    const error = await assertRejects(() => failing, Error, "no room");
    assert(error.message.includes(path));
    assertEquals(await Deno.readTextFile(path), "old");
    assertEquals([...Deno.readDirSync(dir)].length, 1);
    await assertRejects(() => writeFileAtomic(join(path, "below.txt"), "x"), Error, "below.txt");
  });
});

Deno.test("checkWritable() makes the folder and leaves nothing in it, or says why nothing can be written", async () => {
  await inFolder(async (dir) => {
    await checkWritable(join(dir, "a", "b", "x.txt"));
    assertEquals([...Deno.readDirSync(join(dir, "a", "b"))], []);
    await Deno.writeTextFile(join(dir, "file"), "old");
    await checkWritable(join(dir, "file"));
    assertEquals(await Deno.readTextFile(join(dir, "file")), "old");
    const below = join(dir, "file", "x.txt");
    await assertRejects(() => checkWritable(below), Error, `Cannot write "${below}"`);
    const folder = join(dir, "a");
    await assertRejects(() => checkWritable(folder), Error, `Cannot write "${folder}" as it must be a file`);
  });
});

Deno.test({
  name:
    "writeFileAtomic() and writeSafetensors() keep what is private from others, also over a file that others could read",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inFolder(async (folder) => {
      const path = `${folder}/a`;
      const mode = async (): Promise<number> => (await Deno.stat(path)).mode! & 0o777;
      await Deno.writeTextFile(path, "", { mode: 0o644 });
      await writeFileAtomic(path, "seen", { isPrivate: true });
      assertEquals(await mode(), 0o600);
      await writeSafetensors(path, { x: float32Tensor([1], [1]) }, {}, { isPrivate: true });
      assertEquals(await mode(), 0o600);
      await writeFileAtomic(path, "figures");
      assertEquals(await mode() & 0o600, 0o600);
    });
  },
});
