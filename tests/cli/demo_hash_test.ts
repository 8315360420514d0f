/** The demo's adapter, to the byte: a change that moves a number anywhere in training is seen here. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { inFolder } from "../folder.ts";
import { MINI_FILES, succeed } from "./run.ts";

/** SHA-256 of adapter.safetensors under seed 1. What changes it on purpose re-bases it here, alone. */
const ADAPTERS = {
  smoke: "4bc10f012f7ea166a198d3fb82862c9be793667b5a2794de2b475a2bc165fef3",
  full: "483b8f3a053a5c388c09a7e1d101f6c414d3038e4891259ff67801bd52318e02",
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
