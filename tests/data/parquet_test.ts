/** Parquet tables, as pyarrow wrote and read them (tests/data/make_parquet_fixtures.py). */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { ColumnError } from "../../lib/data/csv.ts";
import { loadPairs } from "../../lib/data/pairs.ts";
import { readParquet } from "../../lib/data/parquet.ts";
import { inFolder } from "../folder.ts";

const FOLDER = fromFileUrl(new URL("parquet/", import.meta.url));
const EXPECTED = JSON.parse(await Deno.readTextFile(join(FOLDER, "expected.json")));

for (const name of ["none", "snappy", "gzip", "zstd", "brotli", "lz4", "v2"]) {
  Deno.test(`readParquet() reads what pyarrow does from ${name}.parquet, without columns of bytes, lists and records`, async () => {
    const { columns, rows } = await readParquet(join(FOLDER, `${name}.parquet`));
    assertEquals({ columns, rows }, EXPECTED);
  });
}

Deno.test("loadPairs() reads pairs from a Parquet table as from a CSV file", async () => {
  const options = { text: "text", patient: "patient", missing: "ignore", where: { view: "PA" } } as const;
  const { cases, summary } = await loadPairs(join(FOLDER, "snappy.parquet"), options);
  assertEquals([summary.read, summary.kept, summary.dropped], [40, 20, { "other split": 20 }]);
  assertEquals([cases[1]!.patientId, cases[1]!.text, cases[1]!.path], [
    "0",
    'effusion, "small" – 2\nno change',
    join(FOLDER, "2.png"),
  ]);
  const error = await assertRejects(() => loadPairs(join(FOLDER, "snappy.parquet"), { text: "image" }), ColumnError);
  assert(error.message.includes('"patient"'), error.message);
});

Deno.test("readParquet() names a file that is none, is cut short or is damaged", async () => {
  await inFolder(async (folder) => {
    const whole = await Deno.readFile(join(FOLDER, "snappy.parquet"));
    const broken = whole.slice();
    broken.fill(0xff, broken.length - 60, broken.length - 20);
    const files = { text: new TextEncoder().encode("path,text\n"), empty: new Uint8Array(), broken };
    for (const [name, bytes] of Object.entries({ ...files, cut: whole.subarray(0, 2000), late: whole.subarray(500) })) {
      const path = join(folder, `${name}.parquet`);
      await Deno.writeFile(path, bytes);
      const error = await assertRejects(() => readParquet(path), SyntaxError);
      assert(error.message.includes(path), error.message);
    }
  });
});
