import { assert, assertEquals } from "@std/assert";
import { inFolder } from "../cli/fixtures.ts";
import { killSweep } from "./kill_sweep.ts";

Deno.test({
  name: "train killed five times at random moments ends in the bytes of a run left alone, and no file is ever partial",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inFolder(async (folder) => {
      const { kills, differing, reads } = await killSweep(folder, 5, 1);
      assertEquals(differing, []);
      assertEquals(kills, { SIGKILL: 3, SIGTERM: 2 });
      assert(reads > 0);
    });
  },
});
