/** The demo's adapter, to the byte: a change that moves a number anywhere in training is seen here. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { inFolder } from "./fixtures.ts";
import { MINI_FILES, succeed } from "./run.ts";

/** SHA-256 of adapter.safetensors under seed 1. What changes it on purpose re-bases it here, alone. */
const ADAPTERS = {
  smoke: "ed176d35266af275c217d69aa0c8b88f5b0c658cdddd18be5e5303703e69df9b",
  full: "2622f88cb0e1cdf8c766e909ac3f8e4fb2b14d8a4a0c0836c477754ef11106a5",
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
