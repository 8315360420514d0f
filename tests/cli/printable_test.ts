import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { errorLine, printable } from "../../lib/cli/printable.ts";
import { run } from "./run.ts";
import { inFolder } from "../folder.ts";

Deno.test("printable() writes what could steer a terminal as text, on one line", () => {
  assertEquals(printable("a\x1b[31mb\x07\n\x9b\u202ec"), "a\\u001b[31mb\\u0007\\u000a\\u009b\\u202ec");
  assertEquals(printable("é 肺 \u{1f600}"), "é 肺 \u{1f600}");
});

Deno.test("errorLine() cuts a line longer than a screen in the middle", () => {
  assertEquals(errorLine("a \n b"), "a b");
  const long = errorLine(`Cannot read "${"x".repeat(100_000)}" as it ends`);
  assert(long.length <= 1600 && long.startsWith('Cannot read "xxx') && long.endsWith('" as it ends'), long);
});

// deno-lint-ignore no-control-regex
const STEERING = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;

Deno.test("a column's and a file's name reach the terminal as text, in errors and in answers", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "a\x1b[31m.csv");
    await Deno.writeTextFile(path, 'image,"cl\x1b]0;owned\x07ass"\nx.png,a\n');
    const evaluate = ["evaluate", "--images", path, "--out", join(folder, "out")];
    for (const args of [["inspect", path], ["inspect", "--json", path], evaluate]) {
      const { stdout, stderr } = await run(args, { read: [folder], write: [folder] });
      assert(!STEERING.test(stdout + stderr), JSON.stringify(stdout + stderr));
      assert((stdout + stderr).includes("\\u001b[31m"), stdout + stderr);
    }
  });
});
