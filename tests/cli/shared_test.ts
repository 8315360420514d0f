import { assertEquals } from "@std/assert";
import { parseCommandLine } from "../../lib/cli/command_line.ts";
import { COMMAND } from "../../lib/cli/probe.ts";
import { seedsFrom } from "../../lib/cli/shared.ts";

Deno.test("seedsFrom() takes a seed once that is named twice, in the order of the list", () => {
  const listed = (...words: string[]) => seedsFrom(parseCommandLine(COMMAND, ["--images", "cases.csv", ...words]));
  assertEquals(listed("--seeds", "3,1,3,01,2,1"), [3, 1, 2]);
  assertEquals(listed(), undefined);
});
