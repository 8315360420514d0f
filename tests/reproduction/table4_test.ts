import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals } from "@std/assert";
import { formatTable } from "../../lib/display/table.ts";
import { MINI } from "../../lib/clip/config.ts";
import { initClip } from "../../lib/clip/params.ts";
import { runTable4, TABLE4_SMOKE_SETTINGS } from "../../lib/reproduction/table4_run.ts";
import { table4 } from "../../lib/reproduction/tables/table4.ts";
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
  const text = formatTable(table4([record]).table);
  assert(text.includes("not published here") && text.includes("46.34") && text.includes("21.29"));
  disposeParams(params);
  assertEquals(tf.memory().numTensors, before);
});
