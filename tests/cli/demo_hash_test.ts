/** The demo's adapter, to the byte: a change that moves a number anywhere in training is seen here. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { inFolder } from "./fixtures.ts";
import { MINI_FILES, succeed } from "./run.ts";

/** SHA-256 of adapter.safetensors under seed 1. What changes it on purpose re-bases it here, alone. */
const ADAPTERS = {
  smoke: "e0bf7fbe064fbcfcec2b1ff4ae248d9a891d3822be54aae1580106e3673ee54b",
  full: "d83aa94d8f57d4477d7dbcb9e1116f03d2dec0bec79d58cb63aa011aa3414162",
};

for (const [scale, expected] of Object.entries(ADAPTERS)) {
  Deno.test(`demo at ${scale} scale comes to the same adapter, to the byte`, async () => {
    await inFolder(async (folder) => {
      const args = ["demo", "--out", folder, ...(scale === "smoke" ? ["--smoke"] : [])];
      await succeed(args, { read: [...MINI_FILES, folder], write: [folder] });
      const bytes = await Deno.readFile(join(folder, "adapter.safetensors"));
      assertEquals(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex(), expected);
    });
  });
}
