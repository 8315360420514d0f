import { assertEquals } from "@std/assert";
import { readImage } from "../../lib/image/mod.ts";
import { testAlone } from "../alone.ts";

testAlone(
  "readImage() refuses every damaged file by name, on one line, quickly, in bounded memory",
  new URL("damaged_alone.ts", import.meta.url),
);

Deno.test("readImage() names a file that is not there", async () => {
  const error = await readImage("no/such/x.png").then(() => undefined, (error: Error) => error);
  assertEquals(error?.message, 'Cannot read image "no/such/x.png": no such file');
});

Deno.test("readImage() names a folder", async () => {
  const folder = await Deno.makeTempDir();
  const error = await readImage(folder).then(() => undefined, (error: Error) => error);
  await Deno.remove(folder);
  assertEquals(error?.message, `Cannot read image "${folder}": it is a folder`);
});
