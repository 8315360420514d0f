import { assert, assertEquals } from "@std/assert";
import { proseLines, wrapped } from "../../lib/display/terminal.ts";

Deno.test("wrapped() breaks at the last blank that fits, outside quotation marks where it can, and cuts no word", () => {
  assertEquals(wrapped("a line that fits", 16), "a line that fits");
  assertEquals(wrapped("one two three four", 9), "one two\nthree\nfour");
  assertEquals(wrapped('type --labels "no finding"', 18), 'type --labels\n"no finding"');
  assertEquals(wrapped('say "no finding at all" now', 12), 'say\n"no finding\nat all" now');
  assertEquals(wrapped(`${"x".repeat(20)} y`, 8), `${"x".repeat(20)}\ny`);
  assertEquals(wrapped("files: a, b, c, d", 12, "  "), "files: a, b,\n  c, d");
  assertEquals(wrapped("", 8), "");
});

Deno.test("proseLines() leaves tables, commands and JSON as they are, and breaks prose and lists", () => {
  const set = [
    "image       a       b  answer",
    "  deno task train --pairs pairs.csv",
    '{"a": 1, "b": [1, 2, 3]}',
    "[101, 2023, 102]",
  ];
  assertEquals(proseLines(set.join("\n"), 12), set.join("\n"));
  assertEquals(proseLines("    files: a, b, c, d", 14), "    files: a,\n      b, c, d");
  const text = "The model has seen only drawings: what it answers means nothing.";
  const lines = proseLines(text, 20).split("\n");
  assertEquals(lines.join(" "), text);
  assert(lines.every((line) => line.length <= 20), lines.join("|"));
});
