import { assertEquals, assertThrows } from "@std/assert";
import { parse, stringify } from "@std/csv";
import { basename, join } from "@std/path";

Deno.test("@std/csv parse() reads quoted fields, a BOM and CRLF into records", () => {
  const text = '\uFEFFpath,note\r\na.png,"left, small ""effusion"""\r\n';
  assertEquals(parse(text, { skipFirstRow: true }), [{ path: "a.png", note: 'left, small "effusion"' }]);
});

Deno.test("@std/csv parse() names the line of a record that is too short", () => {
  assertThrows(() => parse("a,b\n1\n", { skipFirstRow: true }), SyntaxError, "line 2");
});

Deno.test("@std/csv stringify() round-trips through parse()", () => {
  const rows = [{ a: 'x "y"', b: "1,2" }, { a: "", b: "line\nbreak" }];
  assertEquals(parse(stringify(rows, { columns: ["a", "b"] }), { skipFirstRow: true }), rows);
});

Deno.test("@std/path join() and basename() follow Node's path", () => {
  assertEquals(basename(join("a", "..", "b.png"), ".png"), "b");
});
