import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { parseCsv } from "../../lib/data/_csv_parse.ts";
import { describeCsv, readCsv } from "../../lib/data/csv.ts";
import { csvCell } from "../../lib/data/csv_cell.ts";
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

Deno.test("readCsv() reads what Excel writes: UTF-16 with tabs, a first line that names the separator", async () => {
  const text = "\uFEFFpath\tnote\r\nb\u00e4.png\tone, two\r\n";
  const utf16 = (isLittle: boolean): Uint8Array => {
    const view = new DataView(new ArrayBuffer(text.length * 2));
    [...text].forEach((letter, i) => view.setUint16(2 * i, letter.charCodeAt(0), isLittle));
    return new Uint8Array(view.buffer);
  };
  const rows = [["b\u00e4.png", "one, two"]];
  await withFiles({ "le.txt": utf16(true), "be.txt": utf16(false) }, async (root) => {
    for (const name of ["le.txt", "be.txt"]) {
      const table = await readCsv(join(root, name));
      assertEquals([table.columns, table.rows], [["path", "note"], rows], name);
    }
  });
  await withFiles({ "a.csv": "\uFEFFsep=,\r\npath;x,note;y\r\nb\u00e4.png,one\r\n" }, async (root) => {
    const table = await readCsv(join(root, "a.csv"));
    assertEquals([table.columns, table.rows], [["path;x", "note;y"], [["b\u00e4.png", "one"]]]);
  });
});

Deno.test("readCsv() takes blanks around a column's name for no part of it", async () => {
  await withFiles({ "a.csv": "path , note\nx, y\n" }, async (root) => {
    const table = await readCsv(join(root, "a.csv"));
    assertEquals([table.columns, table.rows], [["path", "note"], [["x", " y"]]]);
    assertEquals(table.column(" note"), 1);
  });
});

Deno.test("readCsv() names the line at which a table is no UTF-8, and how to save it", async () => {
  const rows = "caf\u00e9,1\r\n".repeat(30_000); // several reads
  const latin = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const utf8 = new TextEncoder().encode(`name,n\r\n${rows}`);
  const tables: Record<string, [Uint8Array, string]> = {
    "first.csv": [latin(`name,n\r\n${rows}`), 'line 2 is not; save it as "CSV UTF-8"'],
    "last.csv": [new Uint8Array([...utf8, ...latin("caf\u00e9,2\r\n")]), "line 30002 is not"],
    "old.csv": [latin("name,n\rcafe,1\rcaf\u00e9,2\r"), "line 3 is not"],
    "cut.csv": [new Uint8Array([...utf8, 0xc3]), "line 30002 is not"],
    "film.dcm": [new Uint8Array([...new Uint8Array(128), 0x44, 0xff]), "it is no text"],
  };
  await withFiles(Object.fromEntries(Object.entries(tables).map(([name, [bytes]]) => [name, bytes])), async (root) => {
    for (const [name, [, part]] of Object.entries(tables)) {
      await assertRejects(() => readCsv(join(root, name)), SyntaxError, part);
    }
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

Deno.test("readCsv() finds the separator in the first row, outside quotation marks", async () => {
  const tables: Record<string, string> = {
    "tab.tsv": "filepath\ttitle\na.png\tno effusion, no oedema\n",
    "semicolon.csv": 'filepath;"a,b,c"\na.png;no effusion, no oedema\n',
    "comma.csv": "filepath,title;s\na.png,no effusion; no oedema\n",
    "one.csv": "filepath\na.png\n",
  };
  await withFiles(tables, async (root) => {
    const read = async (name: string) => (await readCsv(join(root, name))).rows;
    assertEquals(await read("tab.tsv"), [["a.png", "no effusion, no oedema"]]);
    assertEquals(await read("semicolon.csv"), [["a.png", "no effusion, no oedema"]]);
    assertEquals(await read("comma.csv"), [["a.png", "no effusion; no oedema"]]);
    assertEquals(await read("one.csv"), [["a.png"]]);
  });
  await withFiles({ "a.csv": "a;b\n1;2;3\n" }, async (root) => {
    await assertRejects(() => readCsv(join(root, "a.csv")), SyntaxError, 'row 2 must have 2 fields separated by ";"');
  });
});

Deno.test("readCsv() reads gzip made of several members, as cat of two files makes it", async () => {
  const members = new Uint8Array([...await gzip("a,b\n1,2\n"), ...await gzip("3,4\n")]);
  await withFiles({ "a.csv.gz": members }, async (root) => {
    assertEquals((await readCsv(join(root, "a.csv.gz"))).rows, [["1", "2"], ["3", "4"]]);
  });
});

Deno.test("readCsv() and describeCsv() refuse a gzip that holds far more than its size says", async () => {
  await withFiles({ "bomb.csv.gz": await gzip("path,note\n" + "a,b\n".repeat(20_000_000)) }, async (root) => {
    for (const read of [readCsv, describeCsv]) {
      const error = await assertRejects(() => read(join(root, "bomb.csv.gz")), SyntaxError) as Error;
      assert(
        /^Cannot read "[^"]*bomb.csv.gz" as it must have at most 67108864 bytes of text: its \d+ bytes/.test(
          error.message,
        ),
      );
    }
  });
});

Deno.test("parseCsv() refuses more than 2 million rows and 16 million fields before they are made", () => {
  assertThrows(() => parseCsv("a\n".repeat(2_000_001), ","), Error, "at most 2000000 rows");
  assertThrows(() => parseCsv(",".repeat(16_000_001), ","), Error, "at most 16000000 fields");
  assertEquals(parseCsv('a,"b""c",d"e\r"f\ng",,\n\n', ","), [["a", 'b"c', 'd"e'], ["f\ng", "", ""]]);
  assertThrows(() => parseCsv('a\n"b"c', ","), Error, "in row 2 it goes on");
});

Deno.test("csvCell() keeps a text from being a spreadsheet's formula, and numbers as they are", () => {
  for (const text of ["=1+1", "+cmd", "-cmd", "@SUM(A1)", "\tx", "\r=x"]) assertEquals(csvCell(text), `"'${text}"`);
  assertEquals(csvCell('=HYPERLINK("http://x","y")'), `"'=HYPERLINK(""http://x"",""y"")"`);
  for (const value of [-1, -1.5, "-1", "+2.5e-3", 0, "a", "a=b", ""]) assertEquals(csvCell(value), String(value));
  assertEquals(csvCell('a "b", c'), '"a ""b"", c"');
  assertEquals(csvCell("-cmd", { spreadsheet: false }), "-cmd");
});

Deno.test("describeCsv() counts rows with quoted line ends, ragged ones, and reads gzip and a byte order mark", async () => {
  const text = '\ufeffid,"a ""b""",note\r\n1,2,"line\nbreak, and ""quotes"""\r\n2,3\n\n3,4,\u00e9\n';
  await withFiles({ "a.csv": text, "b.csv": await gzip(text), "c.csv": "a,b" }, async (root) => {
    const columns = ["id", 'a "b"', "note"];
    for (const name of ["a.csv", "b.csv"]) {
      const path = join(root, name);
      assertEquals(await describeCsv(path), { path, format: "csv", separator: ",", columns, rows: 3, raggedRows: 1 });
    }
    const { rows, raggedRows } = await describeCsv(join(root, "c.csv"));
    assertEquals([rows, raggedRows], [0, 0]);
  });
});

Deno.test("describeCsv() refuses what is no CSV by the file's name", async () => {
  const bad: Record<string, [content: string | Uint8Array, reason: string]> = {
    "empty.csv": ["", "it is empty"],
    "utf16.csv": [Uint8Array.of(0xff, 0xfe, 0x00), "UTF-8"],
    "open.csv": ['a,b\n"open', "quotation mark"],
    "cut.csv": [Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0), "whole gzip"],
  };
  await withFiles(Object.fromEntries(Object.entries(bad).map(([name, [content]]) => [name, content])), async (root) => {
    for (const [name, [, reason]] of Object.entries(bad)) {
      const error = await assertRejects(() => describeCsv(join(root, name)), SyntaxError, reason) as Error;
      assert(error.message.includes(name) && !error.message.includes("\n"), error.message);
    }
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
