/** Small files that stand for huge ones, given to the commands as a user would. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { gunzipSync } from "node:zlib";
import { CASES, needsCase } from "../cases.ts";
import { inFolder } from "../folder.ts";
import { MINI_FILES, run } from "./run.ts";

async function refused(args: readonly string[], path: string, out?: string): Promise<void> {
  const folders = out === undefined ? [] : [out];
  const { code, stderr } = await run([...args], { read: [path, ...folders, ...MINI_FILES], write: folders });
  const lines = stderr.trimEnd().split("\n").filter((line) => line.startsWith("error: "));
  assertEquals([code, lines.length], [1, 1], stderr);
  assert(lines[0]!.includes(path) && lines[0]!.length < 600, lines[0]);
}

Deno.test({
  ...needsCase("bombs", "inspect refuses a pickle whose names would take gigabytes"),
  fn: async () => {
    const path = await Deno.makeTempFile({ suffix: ".pt" });
    try {
      await Deno.writeFile(path, gunzipSync(await Deno.readFile(join(CASES, "bombs", "bomb_30079.pt.gz"))));
      await refused(["inspect", path], path);
    } finally {
      await Deno.remove(path);
    }
  },
});
Deno.test({
  ...needsCase("bombs", "evaluate and inspect refuse 20 million rows in 388 KB of gzip"),
  fn: async () => {
    const path = join(CASES, "bombs", "bomb_20M_rows.csv.gz");
    await inFolder((out) => refused(["evaluate", "--images", path, "--out", out], path, out));
    await refused(["inspect", path], path);
  },
});
