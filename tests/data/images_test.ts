/** Which files of a folder are taken for images. */
import { assertEquals } from "@std/assert";
import { join, relative } from "@std/path";
import { listImages } from "../../lib/data/dataset.ts";

Deno.test("listImages() finds every kind that is read, at any depth, in one order, and no hidden file", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.mkdir(join(folder, "a", ".hidden"), { recursive: true });
  const images = ["b.JPG", "c.png", "a/d.tif", "a/e.TIFF", "a/f.webp", "a/g.dcm", "a/h.dicom", "a/i.jpeg"];
  for (const name of [...images, "notes.txt", ".j.png", "a/.hidden/k.png"]) {
    await Deno.writeTextFile(join(folder, name), "");
  }
  const actual = await listImages(folder);
  assertEquals(actual.map((path) => relative(folder, path)), images.sort());
  await Deno.remove(folder, { recursive: true });
});
