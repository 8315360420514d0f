/** A page's private files where the browser gives none, as here: in memory, with the functions of any other file. */
import { assertEquals, assertRejects } from "@std/assert";
import { NotADirectory, NotFound } from "../../lib/platform/files.ts";
import { MEMORY, privateFiles, privateFolder } from "../../lib/platform/private_files.ts";
import { webSystem } from "../../lib/platform/web_system.ts";

const files = webSystem();

async function write(path: string, ...parts: Uint8Array[]): Promise<void> {
  const file = await files.open(path, { write: true, createNew: true });
  for (const part of parts) await file.write(part);
  file.close();
}

async function names(path: string): Promise<string[]> {
  const actual: string[] = [];
  for await (const { name } of files.readDir(path)) actual.push(name);
  return actual.sort();
}

Deno.test("privateFiles() says that memory keeps nothing", async () => {
  assertEquals((await privateFiles()).isKept, false);
});

for (const folder of ["run", MEMORY]) {
  Deno.test(`webSystem() writes, overwrites, moves and removes files of memory under "${folder}"`, async () => {
    await files.mkdir(`${folder}/deeper`, { recursive: true });
    await write(`${folder}/a.bin`, new Uint8Array([1, 2, 3]), new Uint8Array([4, 5]));
    assertEquals([...await files.readFile(`${folder}/a.bin`)], [1, 2, 3, 4, 5]);
    assertEquals((await files.stat(`${folder}/a.bin`)).size, 5);
    await assertRejects(() => write(`${folder}/a.bin`), Error, "it must not be there");
    const again = await files.open(`${folder}/a.bin`, { write: true });
    await again.seek(1, 0);
    await again.write(new Uint8Array([9]));
    again.close();
    assertEquals([...await files.readFile(`${folder}/a.bin`)], [1, 9, 3, 4, 5]);
    await write(`${folder}/b.bin`, new Uint8Array([7]));
    await files.rename(`${folder}/b.bin`, `${folder}/a.bin`);
    assertEquals(await names(folder), ["a.bin", "deeper"]);
    assertEquals([...await files.readFile(`${folder}/a.bin`)], [7]);
    await files.rename(`${folder}/a.bin`, `${folder}/deeper/c.bin`);
    assertEquals([await names(folder), await names(`${folder}/deeper`)], [["deeper"], ["c.bin"]]);
    await assertRejects(() => files.readFile(`${folder}/a.bin`), NotFound);
    await assertRejects(() => files.mkdir(`${folder}/deeper/c.bin/d`, { recursive: true }), NotADirectory);
    await files.remove(`${folder}/deeper/c.bin`);
    await assertRejects(() => files.remove(`${folder}/deeper/c.bin`), NotFound);
    await assertRejects(() => privateFolder([folder, "nowhere"]), DOMException);
  });
}
