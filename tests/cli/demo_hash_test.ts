/** The demo's adapter, to the byte: a change that moves a number anywhere in training is seen here. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { inFolder } from "../folder.ts";
import { MINI_FILES, succeed } from "./run.ts";

/** SHA-256 of adapter.safetensors under seed 1. What changes it on purpose re-bases it here, alone. */
const ADAPTERS = {
  smoke: "608b6fc90340b853e4b822b21f9b82cd7426a348821cdcde145131bcedba4206",
  full: "6915171cc5fb05c86e87b7368423c1e5aa408e393136d13b6e442436240f5a0f",
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
