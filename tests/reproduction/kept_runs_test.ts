import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { openRuns } from "../../lib/reproduction/kept_runs.ts";
import { tableRuns } from "../../lib/reproduction/summary.ts";
import { sampleRecord, sampleTable4 } from "./sample.ts";
import { inFolder } from "../folder.ts";

const KEPT = fromFileUrl(new URL("../../data/reproduction.json", import.meta.url));

Deno.test("openRuns() reads the runs of one table from a file of kept records, and says which revision they are of", async () => {
  const { records, origin } = await openRuns("tableA3", { kept: KEPT });
  assertEquals(tableRuns(records, "tableA3").map(({ id, runs }) => [id, runs.length]), [
    ["neither", 3],
    ["image", 3],
    ["text", 3],
    ["both", 3],
  ]);
  assertMatch(origin, /^12 kept runs of revision [0-9a-f]{7}: nothing is carried out$/);
});

Deno.test("openRuns() carries out what is not kept, and refuses a file without runs of the table", async () => {
  await inFolder(async (out) => {
    const { records, origin } = await openRuns("histopathology", { scale: "smoke", out });
    assertEquals(records.length, 1);
    assertMatch(origin, /^1 runs on \w+, 1 carried out now$/);
    const kept = join(out, "kept.json");
    await Deno.writeTextFile(kept, JSON.stringify([sampleRecord(), sampleTable4()]));
    assertEquals((await openRuns("table4", { kept })).dense, [sampleTable4()]);
    await assertRejects(() => openRuns("table6", { kept }), RangeError, "must hold runs of it: it holds none");
  });
});
