import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { formatTable } from "../../lib/display/table.ts";
import { MINI } from "../../lib/clip/architectures.ts";
import { initClip } from "../../lib/clip/params.ts";
import { table4Overlays } from "../../lib/reproduction/tables/table4/examples.ts";
import { parseTable4Run, TABLE4_KIND } from "../../lib/reproduction/tables/table4/run.ts";
import { runTable4, TABLE4_SMOKE_SETTINGS } from "../../lib/reproduction/tables/table4/synthetic.ts";
import { table4 } from "../../lib/reproduction/tables/table4/show.ts";
import { loadMiniTokenizer } from "../../lib/clip/mini.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams } from "../../lib/tensor/params.ts";

Deno.test("runTable4() measures three different encoders at every share, frees what it made, and prints no invented row", async () => {
  const backend = await selectBackend({ backend: "wasm" });
  const before = tf.memory().numTensors;
  const params = initClip(MINI, 1);
  const generalist = { params, config: MINI, tokenizer: await loadMiniTokenizer(), files: {} };
  const settings = { ...TABLE4_SMOKE_SETTINGS, fractions: [0.5, 1] };
  const record = await runTable4(generalist, backend, settings);
  assertEquals(record.rows.map(({ adapter, labelled }) => `${adapter} ${labelled}`), [
    "none 4",
    "none 8",
    "LoRA 4",
    "LoRA 8",
    "ACE-LoRA 4",
    "ACE-LoRA 8",
  ]);
  assertEquals(new Set(Object.values(record.encoders)).size, 3);
  assertEquals(record.splits["segmentation test"]!.size, 4);
  // Each adapter's answers at the largest share, over images that are drawn anew: two masks and two cases with boxes.
  const overlays = await table4Overlays(record);
  assertEquals(
    overlays.map(({ caption }) => caption),
    ["none", "LoRA", "ACE-LoRA"].flatMap((adapter) => [
      ...["pneumothorax, test image 2", "pneumothorax, test image 4"].map((name) => `${adapter}, ${name} (synthetic)`),
      ...["pneumonia, test image 2", "pneumonia, test image 4"].map((name) => `${adapter}, ${name} (synthetic)`),
    ]),
  );
  assertEquals(new Set(overlays.map(({ image }) => image)).size > 4, true, "answers differ between adapters");
  assertEquals(await table4Overlays({ ...record, splits: {} }), [], "other cases than those drawn today");
  const configuration = { model: { name: "MINI", sha256: "ab".repeat(32) } };
  const run = { kind: TABLE4_KIND, table: "table4", id: "dense", seed: 1, configuration, result: record } as const;
  assertEquals(parseTable4Run(JSON.stringify(run), "x.json"), run);
  const damaged = { ...run, result: { ...record, examples: [{ ...record.examples![0]!, side: "64" }] } };
  assertThrows(() => parseTable4Run(JSON.stringify(damaged), "x.json"), SyntaxError, "result.examples[0].side");
  assertThrows(
    () => parseTable4Run(JSON.stringify({ ...run, configuration: {} }), "x.json"),
    SyntaxError,
    "configuration.model",
  );
  const text = formatTable(table4([record]).table);
  assert(text.includes("not published here") && text.includes("46.34") && text.includes("21.29"));
  disposeParams(params);
  assertEquals(tf.memory().numTensors, before);
});
