import { assert, assertEquals, assertMatch } from "@std/assert";
import { BIOMED_CLIP, MINI } from "../../lib/clip/architectures.ts";
import { PEFT_METHODS, PEFT_NAMES } from "../../lib/peft/methods.ts";
import { TABLE_NAMES } from "../../lib/reproduction/plan.ts";
import { configurationKey } from "../../lib/reproduction/record.ts";
import { plannedRuns, TABLES } from "../../lib/reproduction/tables/registry.ts";

for (const [size, encoders] of Object.entries({ MINI, BIOMED_CLIP })) {
  Deno.test(`every row of every table can be set up at the size of ${size}, under a key of its own`, () => {
    for (const table of TABLE_NAMES) {
      const rows = TABLES[table].rows(encoders);
      assertEquals(new Set(rows.map(({ id }) => id)).size, rows.length, table);
      const kinds = rows.map((row) => {
        const { name, settings } = PEFT_METHODS[row.method](encoders, row.settings);
        assertMatch(row.id, /^[a-z0-9][a-z0-9-]*$/);
        assertEquals(row.table, table);
        return configurationKey({ name, settings, loss: row.loss, sets: row.sets });
      });
      // The default stands once in each group of the ablations; elsewhere every row is another configuration.
      const own = rows.map((row, i) => `${row.group ?? ""} ${kinds[i]}`);
      assertEquals(new Set(own).size, rows.length, `${table} runs one configuration twice`);
    }
  });
}

Deno.test("table 1 has all thirteen methods, in the registry's order", () => {
  assertEquals(TABLES.table1.rows(MINI).map(({ method }) => method), [...PEFT_NAMES]);
  assertEquals(PEFT_NAMES.length, 13);
});

Deno.test("plannedRuns() gives each trained row every seed and the untrained ones one", () => {
  const runs = plannedRuns(TABLE_NAMES, MINI, [1, 2, 3]);
  const keys = new Set(
    runs.filter(({ method }) => method !== "none").map((run) => {
      const { settings } = PEFT_METHODS[run.method](MINI, run.settings);
      return configurationKey([run.method, settings, run.loss, run.rateFactor, run.seed]);
    }),
  );
  assertEquals(keys.size, 93, "the runs that the demo scale's budget counts");
  const untrained = runs.filter(({ method }) => method === "none");
  assertEquals(untrained.map(({ table, seed }) => [table, seed]), [["table1", 1], ["table2", 1], [
    "histopathology",
    1,
  ]]);
  assert(runs.every((run) => run.place === TABLES[run.table].rows(MINI).findIndex(({ id }) => id === run.id)));
});

Deno.test("the ablations change one setting each", () => {
  const rows = TABLES.ablations.rows(BIOMED_CLIP).filter(({ method }) => method === "ace-lora");
  const base = PEFT_METHODS["ace-lora"](BIOMED_CLIP).settings as Record<string, Record<string, unknown>>;
  for (const row of rows.filter(({ settings }) => settings !== undefined)) {
    const { settings } = PEFT_METHODS["ace-lora"](BIOMED_CLIP, row.settings);
    const changed = Object.entries(settings).flatMap(([part, value]) =>
      typeof value === "object"
        ? Object.entries(value as object).filter(([key, x]) => JSON.stringify(x) !== JSON.stringify(base[part]?.[key]))
          .map(([key]) => `${part}.${key}`)
        : JSON.stringify(value) === JSON.stringify(base[part])
        ? []
        : [part]
    );
    const expected = {
      "k": "hgnn.topK",
      "hidden width": "hgnn.hidden",
      "rank": "lora.rank",
      "LoRA layers": "lora.positions",
      "logit scale": "learnScale",
    }[row.group!];
    assertEquals(changed, [expected], row.id);
  }
});
