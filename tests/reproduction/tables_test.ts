import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { formatTable, markdownTable } from "../../lib/display/table.ts";
import { comparisonTable } from "../../lib/reproduction/comparisons.ts";
import { NOT_PUBLISHED } from "../../lib/reproduction/tables/published.ts";
import { compareRows, rowFigure, rowMeanAuroc, spread, tableRuns } from "../../lib/reproduction/summary.ts";
import { reproducedTables, TABLES, verdicts } from "../../lib/reproduction/tables/registry.ts";
import { binarySet, sampleRecord } from "./sample.ts";

const RSNA = "RSNA-like (synthetic)";
const RIGHT = [0.1, 0.2, 0.8, 0.9], WRONG = [0.9, 0.8, 0.2, 0.1];

/** Three seeds of a row whose AUROC and accuracy are those of its scores. */
function row(id: string, scores: number[], aurocs: number[], place = 0): ReturnType<typeof sampleRecord>[] {
  return aurocs.map((auroc, i) =>
    sampleRecord({ id, label: id, place, seed: i + 1, sets: { [RSNA]: binarySet(scores, { auroc, accuracy: auroc }) } })
  );
}

Deno.test("spread() is mean and sample deviation", () => {
  assertEquals(spread([]), null);
  assertEquals(spread([2]), { mean: 2, deviation: null, count: 1 });
  assertEquals(spread([1, 2, 3]), { mean: 2, deviation: 1, count: 3 });
});

Deno.test("tableRuns() gathers seeds in rising order under rows in the plan's order", () => {
  const records = [...row("b", RIGHT, [0.5, 0.6], 1).reverse(), ...row("a", RIGHT, [0.7], 0)];
  const rows = tableRuns(records, "table1");
  assertEquals(rows.map(({ id, runs }) => [id, runs.map(({ seed }) => seed)]), [["a", [1]], ["b", [1, 2]]]);
  assertEquals(tableRuns(records, "table6"), []);
});

Deno.test("rowFigure() and rowMeanAuroc() leave out what is undefined", () => {
  const record = sampleRecord({
    sets: { [RSNA]: binarySet(RIGHT, { auroc: 0.6 }), other: binarySet(RIGHT, { auroc: null, auroc_ci: null }) },
  });
  const [only] = tableRuns([record], "table1");
  assertEquals(rowFigure(only!, "other", "auroc"), null);
  assertEquals(rowMeanAuroc(only!)!.mean, 0.6);
});

Deno.test("compareRows() of opposite rankings is +1 without doubt, of a row with itself 0", () => {
  const [good, bad] = tableRuns([...row("a", RIGHT, [1, 1]), ...row("b", WRONG, [0, 0], 1)], "table1");
  const [actual] = compareRows(good!, bad!);
  assertEquals([actual!.auroc!.difference, actual!.auroc!.low, actual!.auroc!.high], [1, 1, 1]);
  assertEquals(actual!.accuracy.difference, 1);
  assertEquals(actual!.seeds, [1, 2]);
  const [same] = compareRows(good!, good!);
  assertEquals([same!.auroc!.difference, same!.auroc!.p], [0, 1]);
});

Deno.test("compareRows() averages over the seeds both have", () => {
  const [good] = tableRuns(row("a", RIGHT, [1, 1, 1]), "table1");
  const mixed = [...row("b", RIGHT, [1]), ...row("b", WRONG, [0, 0]).map((r) => ({ ...r, seed: r.seed + 1 }))].slice(
    0,
    2,
  );
  const [actual] = compareRows(good!, tableRuns(mixed, "table1")[0]!);
  assertEquals(actual!.seeds, [1, 2]);
  assertAlmostEquals(actual!.auroc!.difference, 0.5); // seed 1: 1 - 1, seed 2: 1 - 0
});

Deno.test("compareRows() leaves out other cases, sets without scores, and rows without a seed in common", () => {
  const [good] = tableRuns(row("a", RIGHT, [1]), "table1");
  const other = binarySet(RIGHT, { split: { name: "sample", size: 4, hash: "11" } });
  const [moved] = tableRuns([sampleRecord({ sets: { [RSNA]: other } })], "table1");
  const [bare] = tableRuns([sampleRecord({ sets: { [RSNA]: binarySet(RIGHT, { scores: "" }) } })], "table1");
  const [late] = tableRuns([sampleRecord({ seed: 9 })], "table1");
  for (const against of [moved!, bare!, late!]) assertEquals(compareRows(good!, against), []);
});

Deno.test("reproducedTables() shows mean and deviation beside the paper's figure, and no figure the paper did not publish", () => {
  const records = [...row("lora", WRONG, [0.5, 0.6, 0.7]), ...row("ace-lora", RIGHT, [0.4, 0.4, 0.4], 1)];
  const [figures, costs, paired] = reproducedTables(records).map(({ table }) => table);
  assertEquals(figures!.rows, [
    [
      RSNA,
      "lora",
      { value: 0.6, text: "0.600 ± 0.100" },
      { value: 0.6, text: "0.600 ± 0.100" },
      NOT_PUBLISHED,
      NOT_PUBLISHED,
    ],
    [
      RSNA,
      "ace-lora",
      { value: 0.4, text: "0.400 ± 0.000" },
      { value: 0.4, text: "0.400 ± 0.000" },
      "79.54 %",
      "87.19 %",
    ],
  ]);
  assertEquals(figures!.synthetic, true);
  assertEquals(costs!.rows[0], [
    "lora",
    100,
    "10.00 %",
    { value: 4, text: "4.0 ± 0.0" },
    { value: 2 ** 20, text: "1.0" },
    NOT_PUBLISHED,
  ]);
  assertEquals(paired!.rows[0]!.slice(0, 3), ["ace-lora against lora", RSNA, "+1.000 (+1.000 to +1.000)"]);
});

Deno.test("no table holds a percentage that is not one of the paper's", () => {
  const known = ["49.80", "80.87", "79.54", "87.19", "73.35", "81.51", "0.95", "0.48", "10.00", "25.0", "95"];
  const records = (["table1", "table2", "table6", "tableA3", "ablations"] as const).flatMap((table) =>
    ["lora", "ace-lora", "attention", "both", "k-5", "loss-x"].map((id, place) =>
      sampleRecord({
        table,
        id,
        place,
        label: id === "k-5" ? "5 (default)" : id,
        ...(id === "loss-x" ? { group: "loss" } : {}),
      })
    )
  );
  for (const { table } of reproducedTables(records)) {
    for (const [, figure] of formatTable(table).matchAll(/([\d.]+)(?: \/ [\d.]+)* %/g)) {
      assert(known.includes(figure!), `${figure} % in ${table.caption}`);
    }
  }
});

Deno.test("synthetic figures are labelled wherever they are shown, real ones are not", () => {
  const real = sampleRecord({ sets: { rsna: binarySet(RIGHT, { synthetic: false }) } });
  assertEquals(reproducedTables([real]).map(({ table }) => table.synthetic), [false, false]);
  for (const { table } of reproducedTables([sampleRecord()])) assert(formatTable(table).includes("[synthetic]"));
});

Deno.test("verdicts() says so when ACE-LoRA is behind", () => {
  const losing = tableRuns([...row("lora", RIGHT, [1]), ...row("ace-lora", WRONG, [0], 1)], "table1");
  assertEquals(verdicts(losing), [
    "ace-lora against lora, by AUROC: ahead on 0, behind on 1, no difference shown on 0 of 1 sets.",
  ]);
  assert(markdownTable(comparisonTable(losing, TABLES.table1.compared!)!).includes("-1.000 (-1.000 to -1.000)"));
});
