/** The wasm files are named with their version, as the import map does not reach import.meta.resolve() in a published package. */
import { assertEquals } from "@std/assert";

Deno.test("wasm files and the JavaScript beside them are of one version, deno.json's", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  const text = await Deno.readTextFile(new URL("../../lib/platform/assets.ts", import.meta.url));
  const named = [...text.matchAll(/"(npm:(@[\w-]+\/[\w-]+)@[\d.]+)\//g)];
  assertEquals(named.length, 9);
  for (const [, specifier, name] of named) assertEquals(specifier, imports[name!]);
});
