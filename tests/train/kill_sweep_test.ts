import { assert, assertEquals } from "@std/assert";
import { inFolder } from "../folder.ts";
import { cacheSweep, killSweep } from "./kill_sweep.ts";

Deno.test({
  name: "train killed four times at random moments ends in the bytes of a run left alone, and no file is ever partial",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inFolder(async (folder) => {
      const { kills, differing, reads } = await killSweep(folder, { kills: 4, seed: 1 });
      assertEquals(differing, []);
      assertEquals(kills, { SIGKILL: 2, SIGTERM: 2 });
      assert(reads > 0);
    });
  },
});

Deno.test({
  name: "cache killed at a random moment goes on to the squares of images decoded anew, and is never partial",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inFolder(async (folder) => {
      const { kills, differing } = await cacheSweep(folder, 1, 1);
      assertEquals(differing, []);
      assertEquals(kills, { SIGKILL: 1 });
    });
  },
});
