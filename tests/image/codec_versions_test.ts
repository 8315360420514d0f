/** The codecs' wasm files are named with their version, as the import map does not reach import.meta.resolve() in a published package. */
import { assertEquals } from "@std/assert";

Deno.test("the codecs' wasm and glue are of one version, deno.json's", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  const text = await Deno.readTextFile(new URL("../../lib/image/_codec_modules.js", import.meta.url));
  const named = [...text.matchAll(/"(npm:(@cornerstonejs\/[\w-]+)@[\d.]+)\/decodewasm"/g)];
  assertEquals(named.length, 3);
  for (const [, specifier, name] of named) assertEquals(specifier, imports[name!]);
});
