/** Files that are cut short are found before the work, from a few of their bytes, in every format that is read. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { findUnreadable } from "../../lib/data/unreadable.ts";
import { looksWhole } from "../../lib/data/whole_file.ts";
import { isImage } from "../../lib/image/describe.ts";
import { readImage } from "../../lib/image/read.ts";
import { inFolder } from "../folder.ts";

const FOLDERS = ["dicom_fixtures", "still_fixtures"].map((name) =>
  fromFileUrl(new URL(`../image/${name}/`, import.meta.url))
);

/** Fixtures that are images and can be read. */
async function readableFixtures(): Promise<string[]> {
  const paths: string[] = [];
  for (const folder of FOLDERS) {
    for await (const { name } of Deno.readDir(folder)) {
      const path = join(folder, name);
      if (!isImage(await Deno.readFile(path))) continue;
      if (await readImage(path).then(() => true, () => false)) paths.push(path);
    }
  }
  return paths.sort();
}

Deno.test("findUnreadable() without `whole` finds half a file in every format, and decodes hardly a whole one", async () => {
  const fixtures = await readableFixtures();
  for (const ending of ["dcm", "tif", "webp"]) {
    assert(fixtures.filter((path) => path.endsWith(ending)).length > 1, ending);
  }
  const odd: string[] = [];
  for (const path of fixtures) if (!await looksWhole(path)) odd.push(path.slice(path.lastIndexOf("/") + 1));
  assertEquals(odd, ["deflated_12.dcm"], "only what hides its end is decoded to be sure");
  await inFolder(async (folder) => {
    const halves: Parameters<typeof findUnreadable>[0][number][] = [];
    for (const [i, fixture] of fixtures.entries()) {
      const path = join(folder, `${i}`);
      const bytes = await Deno.readFile(fixture);
      await Deno.writeFile(path, bytes.subarray(0, bytes.length >> 1));
      halves.push({ path, image: () => readImage(path) });
    }
    const found = async (whole: boolean) =>
      (await findUnreadable(halves, { whole })).map(({ index }) => fixtures[index]!);
    const unreadable = await found(true);
    assert(unreadable.length > 0.9 * fixtures.length);
    assertEquals(await found(false), unreadable);
  });
});

Deno.test("looksWhole() sees an image in an archive as it sees a file", async () => {
  await inFolder(async (folder) => {
    const archive = join(folder, "a.tar");
    for (const fixture of await readableFixtures()) {
      const bytes = await Deno.readFile(fixture);
      await Deno.writeFile(archive, new Uint8Array([...new Uint8Array(512), ...bytes, ...new Uint8Array(1024)]));
      const part = { archive, offset: 512, name: "image" };
      assertEquals(await looksWhole({ ...part, size: bytes.length }), await looksWhole(fixture), fixture);
      assertEquals(await looksWhole({ ...part, size: bytes.length >> 1 }), false, fixture);
    }
  });
});
