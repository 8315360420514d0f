import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { readCsv } from "../../lib/data/csv.ts";
import { labelAt, labelReader } from "../../lib/data/labels.ts";
import { CHEXPERT_LABELS } from "../../lib/data/types.ts";
import { gzip, needs, REAL_DATA, withFiles } from "./helpers.ts";

Deno.test("readCsv() reads quotes, CRLF, a byte-order mark and line breaks within fields", async () => {
  await withFiles({ "a.csv": '\uFEFFpath,note\r\nx.png,"one, ""two""\nthree"\r\ny.png,\r\n' }, async (root) => {
    const table = await readCsv(join(root, "a.csv"));
    assertEquals(table.columns, ["path", "note"]);
    assertEquals(table.rows, [["x.png", 'one, "two"\nthree'], ["y.png", ""]]);
    assertEquals(table.column("note"), 1);
  });
});

Deno.test("readCsv() reads gzip whatever the file is called", async () => {
  await withFiles({ "a.csv": await gzip("a,b\n1,2\n") }, async (root) => {
    assertEquals((await readCsv(join(root, "a.csv"))).rows, [["1", "2"]]);
  });
});

Deno.test("readCsv() names the file, the column wanted and the columns found", async () => {
  await withFiles({ "a.csv": "path,note\nx,y\n" }, async (root) => {
    const table = await readCsv(join(root, "a.csv"));
    const error = assertThrows(() => table.column("text"), SyntaxError) as Error;
    for (const part of ["a.csv", '"text"', '"path", "note"']) assertEquals(error.message.includes(part), true, part);
  });
});

Deno.test("readCsv() refuses to choose between columns of one name, when that one is asked for", async () => {
  await withFiles({ "a.csv": "path,label,label\nx,0,1\n" }, async (root) => {
    const table = await readCsv(join(root, "a.csv"));
    assertEquals(table.column("path"), 0);
    assertThrows(() => table.column("label"), SyntaxError, 'must have one column "label"');
  });
});

Deno.test("readCsv() leaves out blank columns without a name at the end, as NIH's files have", async () => {
  await withFiles({ "a.csv": "a,b,,\n1,2\n3,4,,\n", "b.csv": "a,b,\n1,2,3\n" }, async (root) => {
    const table = await readCsv(join(root, "a.csv"));
    assertEquals([table.columns, table.rows], [["a", "b"], [["1", "2"], ["3", "4"]]]);
    await assertRejects(() => readCsv(join(root, "b.csv")), SyntaxError, "row 2 must have 2 fields: it has 3");
  });
});

Deno.test("readCsv() refuses a damaged file with one line that names it", async () => {
  const whole = await gzip("a,b\n" + "1,2\n".repeat(1000));
  const bad: Record<string, string | Uint8Array> = {
    "empty.csv": "",
    "ragged.csv": "a,b\n1,2\n1\n",
    "long.csv": "a,b\n1,2,3\n",
    "quote.csv": 'a,b\n"1,2\n',
    "latin.csv": new Uint8Array([0x61, 0x0a, 0xe9, 0x0a]),
    "cut.csv.gz": whole.slice(0, whole.length - 12),
    "noise.csv.gz": new Uint8Array([0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
  };
  await withFiles(bad, async (root) => {
    for (const name of Object.keys(bad)) {
      const error = await assertRejects(() => readCsv(join(root, name)), SyntaxError, name) as Error;
      assertEquals(error.message.includes("\n"), false, name);
    }
    await assertRejects(() => readCsv(join(root, "ragged.csv")), SyntaxError, "row 3");
  });
});

Deno.test("labelAt() reads 1, 0, -1 and blank, and names file, row, column and any other value", async () => {
  await withFiles({ "l.csv": "id,Edema\na,1.0\nb,0\nc,-1.0\nd,\ne,2\nf,NaN\n" }, async (root) => {
    const table = await readCsv(join(root, "l.csv"));
    assertEquals([0, 1, 2, 3].map((row) => labelAt(table, { row, column: 1 })), [1, 0, -1, null]);
    const error = assertThrows(() => labelAt(table, { row: 4, column: 1 }), SyntaxError) as Error;
    for (const part of ["l.csv", "row 6", '"Edema"', '"2"']) assertEquals(error.message.includes(part), true, part);
    assertThrows(() => labelAt(table, { row: 5, column: 1 }), SyntaxError, "row 7");
  });
});

Deno.test("labelReader() gives the 14 labels in MIMIC's order from columns in any order", async () => {
  const names = [...CHEXPERT_LABELS].reverse();
  const row = names.map((name) => name === "Edema" ? "1.0" : name === "Fracture" ? "-1" : "").join(",");
  await withFiles({ "l.csv": `${names.join(",")}\n${row}\n` }, async (root) => {
    const labels = labelReader(await readCsv(join(root, "l.csv")))(0);
    assertEquals(labels, CHEXPERT_LABELS.map((name) => name === "Edema" ? 1 : name === "Fracture" ? -1 : null));
  });
});

Deno.test({
  ...needs("annotations", "readCsv() reads NIH's table of 112,120 rows"),
  fn: async () => {
    const table = await readCsv(join(REAL_DATA, "annotations", "nih_Data_Entry_2017_v2020.csv.gz"));
    assertEquals(table.rows.length, 112_120);
    assertEquals(table.rows[0]![table.column("Image Index")], "00000001_000.png");
  },
});
