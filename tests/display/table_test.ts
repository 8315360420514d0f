import { assert, assertEquals, assertThrows } from "@std/assert";
import { htmlTable } from "../../lib/display/html_table.ts";
import { formatTable, markdownTable, type Table, tableMarks } from "../../lib/display/table.ts";

const TABLE: Table = {
  caption: "Figures",
  synthetic: true,
  columns: [
    { title: "method" },
    { title: "AUROC", best: "high", digits: 2 },
    { title: "time", best: "low" },
    { title: "n" },
  ],
  rows: [
    ["zero-shot", 0.5, { value: 9, text: "9 s" }, 1200],
    ["LoRA", 0.75, { value: 12, text: "12 s" }, 1200],
    ["ACE-LoRA", 0.875, null, 1200],
  ],
};

Deno.test("formatTable() aligns columns, marks best and second best and prints nothing for null", () => {
  assertEquals(
    formatTable(TABLE),
    [
      "Figures [synthetic]",
      "method     AUROC    time        n",
      "---------  -------  ------  -----",
      "zero-shot   0.50     9 s *  1,200",
      "LoRA        0.75 +  12 s +  1,200",
      "ACE-LoRA    0.88 *     -    1,200",
      "* best, + second best",
    ].join("\n"),
  );
});

Deno.test("formatTable() folds a table that is wider than the terminal: groups above their rows, then columns below", () => {
  const table: Table = {
    columns: [{ title: "data set" }, { title: "method", align: "left" }, { title: "accuracy" }, { title: "AUROC" }],
    rows: [["first set", "LoRA", 0.5, 0.25], ["first set", "full", 0.75, 0.5], ["second set", "LoRA", 0.125, 1]],
    groupBy: 0,
  };
  const wide = "data set    method  accuracy  AUROC";
  assertEquals(formatTable(table, { columns: wide.length }).split("\n")[0], wide);
  assertEquals(
    formatTable(table, { columns: wide.length - 1 }),
    [
      "method  accuracy  AUROC",
      "------  --------  -----",
      "first set",
      "LoRA       0.500  0.250",
      "full       0.750  0.500",
      "second set",
      "LoRA       0.125      1",
    ].join("\n"),
  );
  const narrow = formatTable(table, { columns: 20 }).split("\n");
  assertEquals(narrow.slice(0, 3), ["method  accuracy", "------  --------", "first set"]);
  assertEquals(narrow.slice(7, 10), ["", "method  AUROC", "------  -----"]);
  assertEquals(Math.max(...narrow.map((line) => line.length)), 16);
});

Deno.test("formatTable() gives wide and combining characters the columns they take", () => {
  const lines = formatTable({ columns: [{ title: "a" }, { title: "b" }], rows: [["日本", 1], ["e\u0301", 2]] }).split(
    "\n",
  );
  assertEquals(lines, ["a     b", "----  -", "日本  1", "e\u0301     2"]);
});

Deno.test("tableMarks() shares marks among equal numbers and leaves a column of equal numbers unmarked", () => {
  const table = (values: (number | null)[]): Table => ({
    columns: [{ title: "x", best: "high" }],
    rows: values.map((v) => [v]),
  });
  const marks = (values: (number | null)[]): string[] => tableMarks(table(values)).map((row) => row[0]!);
  assertEquals(marks([3, 1, 3, 2]), ["best", "", "best", "second"]);
  assertEquals(marks([1, 1]), ["", ""]);
  assertEquals(marks([1, null, NaN]), ["", "", ""]);
});

Deno.test("tableMarks() marks within groups when there is a grouping column", () => {
  const rows = [["a", 1], ["a", 2], ["b", 9], ["b", 8]];
  const marks = tableMarks({ columns: [{ title: "set" }, { title: "x", best: "high" }], rows, groupBy: 0 });
  assertEquals(marks.map((row) => row[1]), ["second", "best", "best", "second"]);
});

Deno.test("htmlTable() escapes every text, marks the best and shows the badge", () => {
  const html = htmlTable({
    ...TABLE,
    caption: 'a & "b"',
    columns: [{ title: "<i>" }, { title: "x", best: "high" }],
    rows: [["<script>", 1], ["'", 2]],
  });
  assert(!html.includes("<script>") && !html.includes("<i>"));
  for (const part of ["&lt;script&gt;", "a &amp; &quot;b&quot;", "<strong>2</strong>", "<u>1</u>", "synthetic data"]) {
    assert(html.includes(part), part);
  }
});

Deno.test("htmlTable() writes each group's name once, over all columns", () => {
  const html = htmlTable({
    columns: [{ title: "set" }, { title: "method" }, { title: "x" }],
    rows: [["A&B", "m", 1], ["A&B", "n", 2], ["C", "m", 3]],
    groupBy: 0,
  });
  assertEquals(html.match(/scope="rowgroup" colspan="2"/g)?.length, 2);
  assertEquals(html.split("A&amp;B").length, 2);
  assert(!html.includes(">set<"));
});

Deno.test("htmlTable() lets long texts break into lines, in headings and in cells", () => {
  const long = "bilateral interstitial infiltrates of the lower lobes";
  const html = htmlTable({ columns: [{ title: "image" }, { title: long }], rows: [["a.png", 0.5], [long, 0.25]] });
  assertEquals([...html.matchAll(/class="([^"]*long)"/g)].map(([, names]) => names), ["right long", "long"]);
});

Deno.test("markdownTable() escapes bars and marks the best in bold", () => {
  assertEquals(
    markdownTable({ columns: [{ title: "a|b" }, { title: "x", best: "low" }], rows: [["p\nq", 1], ["r", 2]] }),
    "| a\\|b | x |\n| --- | ---: |\n| p q | **1** |\n| r | _2_ |",
  );
});

Deno.test("formatTable() refuses a row with another number of cells", () => {
  assertThrows(
    () => formatTable({ columns: [{ title: "a" }], rows: [["x"], ["y", "z"]] }),
    TypeError,
    "must have 1 cells: current number in row 1 is 2",
  );
});
