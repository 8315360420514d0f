/** Every table at the paper's scale, on a made-up folder in the published layouts. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { TABLE_NAMES, type TableName } from "../../lib/reproduction/plan.ts";
import { reproduce, type ReproduceOptions, type ReproduceOutcome } from "../../lib/reproduction/reproduce.ts";
import { reproducedTables } from "../../lib/reproduction/tables/registry.ts";
import { table4 } from "../../lib/reproduction/tables/table4/show.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { initWasm } from "../../lib/tensor/wasm/init.ts";
import { inFolder } from "../folder.ts";
import { writeMadeUpData } from "./made_up.ts";

await initWasm({ threads: 1 }); // of so small a model a second thread is waited for longer than it works
const backend = await selectBackend({ backend: "wasm" });

/** One epoch of eight pairs, in this thread. */
const run = (
  tables: readonly TableName[],
  [data, out]: readonly [string, string],
  more: ReproduceOptions = {},
): Promise<ReproduceOutcome> =>
  reproduce(tables, backend, { scale: "paper", data, out, seeds: [1], epochs: 1, pairs: 8, ...more });

Deno.test("reproduce() at the paper's scale trains and evaluates every table, table 4 on the adapters of table 1", async () => {
  await inFolder(async (folder) => {
    const places = [join(folder, "data"), join(folder, "out")] as const;
    await writeMadeUpData(places[0]);
    for (const table of TABLE_NAMES) {
      const { failed, records, dense, interrupted } = await run([table], places, {
        onPlan({ runs, done, shared, estimate }) {
          assertEquals(estimate !== undefined, done + shared < runs, "an estimate where there is work");
          assert(estimate === undefined || (estimate.hours > 0 && estimate.diskBytes > 0 && estimate.memoryBytes > 0));
        },
      });
      assertEquals([table, failed, interrupted], [table, [], false]);
      if (table === "table4") {
        const shown = table4(dense.map(({ result }) => result)).table;
        assertEquals(shown.synthetic, false);
        assertEquals(shown.rows.slice(0, 9).map(([adapter]) => adapter), [
          ...["none", "none", "none", "LoRA", "LoRA", "LoRA", "ACE-LoRA", "ACE-LoRA", "ACE-LoRA"],
        ]);
        assertEquals(dense[0]!.result.splits["segmentation test"]!.size, 6);
        assertEquals(dense[0]!.configuration["departures"], { epochs: 1, pairs: 8 });
        continue;
      }
      assert(records.length > 0 && records.every((record) => record.configuration["departures"] !== undefined));
      const sets = table === "histopathology" ? ["lc25000"] : ["chexpert5x200", "rsna", "siim"];
      for (const record of records) assertEquals(Object.keys(record.sets), sets);
      assert(reproducedTables(records, [table]).length > 0);
    }
    const names = (await Array.fromAsync(Deno.readDir(join(places[1], "adapters")))).map(({ name }) => name).sort();
    const adapters = names.filter((name) => name.endsWith(".safetensors"));
    assertEquals(adapters.map((name) => name.replace(/\..*/, "")), ["ace-lora-seed1", "rslora-seed1"]);
    assert((await Array.fromAsync(Deno.readDir(join(places[1], "pixels")))).length > 0, "all runs read one cache");
    const left = (await Array.fromAsync(Deno.readDir(join(places[1], "table4")))).map(({ name }) => name);
    assertEquals(left, ["dense-seed1.json"], "no state and no map is left");
    assertEquals((await run(["table1", "table4"], places)).ran, 0);
  });
});

Deno.test("reproduce() at the paper's scale goes on within table 4, and its parts join to the whole", async () => {
  await inFolder(async (folder) => {
    const data = join(folder, "data");
    await writeMadeUpData(data);
    const places = [data, join(folder, "stopped")] as const;
    const methods = ["none", "ace-lora"];
    const controller = new AbortController();
    const first = await run(["table4"], places, { methods, signal: controller.signal, note: () => controller.abort() });
    assertEquals([first.interrupted, first.ran], [true, 0]);
    const notes: string[] = [];
    const second = await run(["table4"], places, { methods, note: (text) => notes.push(text) });
    assertEquals(second.dense[0]!.result.rows.map(({ adapter, fraction }) => `${adapter} ${fraction}`), [
      ...["none 0.01", "none 0.1", "none 1", "ACE-LoRA 0.01", "ACE-LoRA 0.1", "ACE-LoRA 1"],
    ]);
    assertEquals(notes.length, 6, "five rows after the first one, and the end");
    const whole = await run(["table4"], [data, join(folder, "whole")], { methods });
    assertEquals(second.dense[0]!.result.rows, whole.dense[0]!.result.rows);

    const parts = [data, join(folder, "parts")] as const;
    for (const index of [0, 1, 2]) {
      const { failed } = await run(["table2", "tableA3"], parts, { part: { index, count: 3 } });
      assertEquals(failed, []);
    }
    const joined = await run(["table2", "tableA3"], parts);
    assertEquals([joined.ran, joined.records.length], [0, 6]);
  });
});
