/** Runs at smoke scale: resuming, sharing, staleness, determinism, interruption, refusal. */
import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { encode as encodePng } from "fast-png";
import { table4 } from "../../lib/reproduction/tables/table4/show.ts";
import { reproducedTables } from "../../lib/reproduction/tables/registry.ts";
import { MINI } from "../../lib/clip/architectures.ts";
import { MINI_JOINT_WEIGHTS, MINI_WEIGHTS } from "../../lib/clip/mini.ts";
import { hashPath } from "../../lib/io/hash_path.ts";
import { openContext } from "../../lib/reproduction/context.ts";
import { readRecords } from "../../lib/reproduction/files.ts";
import { plannedSteps } from "../../lib/reproduction/jobs.ts";
import { reproduce, type ReproduceOptions } from "../../lib/reproduction/reproduce.ts";
import { executeRun } from "../../lib/reproduction/run.ts";
import { SCALES } from "../../lib/reproduction/scale.ts";
import { plannedRuns } from "../../lib/reproduction/tables/registry.ts";
import type { ReproduceRecord } from "../../lib/reproduction/record.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { noLeak } from "../close.ts";
import { inFolder } from "../folder.ts";

const backend = await selectBackend({ backend: "wasm" });

const smoke = (out: string, more: Partial<ReproduceOptions> = {}): ReproduceOptions => ({
  scale: "smoke",
  out,
  ...more,
});

/** What must not change between two runs of the same code; somebody may commit meanwhile. */
function figures(record: ReproduceRecord): unknown {
  const { seconds: _, peak_process_bytes: __, same_as: ___, revision: ____, ...rest } = record;
  return rest;
}

Deno.test("reproduce() goes on at the unfinished run, and does nothing when all are done", async () => {
  await inFolder(async (out) => {
    const controller = new AbortController();
    const first = await reproduce(
      ["tableA3"],
      backend,
      smoke(out, { signal: controller.signal, note: () => controller.abort() }),
    );
    assertEquals([first.ran, first.interrupted], [1, true]);
    const path = join(out, "tableA3", "neither-seed1.json");
    const written = (await Deno.stat(path)).mtime;
    assertEquals((await readRecords(out)).map(({ id }) => id), ["neither"]);
    const second = await reproduce(["tableA3"], backend, smoke(out));
    assertEquals([second.ran, second.skipped, second.interrupted], [3, 1, false]);
    assertEquals(second.records.map(({ id }) => id), ["neither", "image", "text", "both"]);
    assertEquals((await Deno.stat(path)).mtime, written, "a finished run is not written again");
    const third = await reproduce(["tableA3"], backend, smoke(out));
    assertEquals([third.ran, third.skipped], [0, 4]);
  });
});

Deno.test("reproduce() stops within a run when it is told to, and leaves no file of it", async () => {
  await inFolder(async (out) => {
    const controller = new AbortController();
    const outcome = await reproduce(
      ["tableA3"],
      backend,
      smoke(out, { signal: controller.signal, onStep: () => controller.abort() }),
    );
    assertEquals([outcome.ran, outcome.interrupted, outcome.records], [0, true, []]);
  });
});

Deno.test("reproduce() carries out a run again when its record has another configuration or seed", async () => {
  await inFolder(async (out) => {
    await reproduce(["table2"], backend, smoke(out));
    const path = join(out, "table2", "ace-lora-seed1.json");
    const record: ReproduceRecord = JSON.parse(await Deno.readTextFile(path));
    const training = { ...record.configuration["training"] as object, learning_rate: 1 };
    await Deno.writeTextFile(path, JSON.stringify({ ...record, configuration: { ...record.configuration, training } }));
    const again = await reproduce(["table2"], backend, smoke(out));
    assertEquals([again.ran, again.skipped], [1, 1]);
    assertEquals(figures(JSON.parse(await Deno.readTextFile(path))), figures(record));
    const other = await reproduce(["table2"], backend, smoke(out, { seeds: [1, 2] }));
    assertEquals([other.ran, other.skipped], [1, 2]);
  });
});

Deno.test("reproduce() shares equal configurations between tables, and is the same in workers as in this thread", async () => {
  await inFolder(async (out) => {
    const alone = join(out, "alone"), workers = join(out, "workers");
    const first = await reproduce(["table2", "tableA3"], backend, smoke(alone));
    assertEquals([first.ran, first.shared, first.records.length], [5, 1, 6]);
    const both = first.records.find(({ id }) => id === "both")!;
    assertEquals(both.same_as, "table2/ace-lora-seed1.json");
    assertEquals(both.sets, first.records.find(({ id }) => id === "ace-lora")!.sets);
    const second = await reproduce(["table2"], backend, smoke(workers, { workers: 2 }));
    assertEquals(second.failed, []);
    assertEquals(second.records.map(figures), first.records.filter(({ table }) => table === "table2").map(figures));
    // A table asked for later takes the figures that are there.
    const third = await reproduce(["table6"], backend, smoke(alone));
    assertEquals([third.ran, third.shared], [3, 1]);
  });
});

Deno.test("reproduce() gives its workers departures from the scale and weights of one's own, and knows their records again", async () => {
  await inFolder(async (out) => {
    const generalist = join(out, "own.safetensors");
    await Deno.copyFile(MINI_WEIGHTS, generalist);
    const own = (await reproduce(["table2"], backend, smoke(join(out, "own"), { methods: ["none"] }))).records[0]!.sets;
    const departures = { epochs: 2, learningRate: 1e-4, dataSeed: 7 };
    const options = smoke(join(out, "runs"), { workers: 2, generalist, ...departures });
    const { records, ran, failed } = await reproduce(["table2"], backend, options);
    assertEquals([ran, failed], [2, []]);
    for (const { configuration, steps, id } of records) {
      assertEquals(configuration["departures"], departures);
      assertEquals((configuration["model"] as { name: string }).name, "own.safetensors");
      const { sets } = configuration["evaluation"] as { sets: Record<string, { hash: string }> };
      for (const [name, { split }] of Object.entries(own)) {
        assertNotEquals(sets[name]!.hash, split.hash, "another draw");
      }
      if (id !== "ace-lora") continue;
      assertEquals(steps, 4);
      assertEquals((configuration["training"] as { learning_rate: number }).learning_rate, 1e-4);
    }
    const again = await reproduce(["table2"], backend, options);
    assertEquals([again.ran, again.skipped], [0, 2]);
  });
});

Deno.test("a record says what it was made with: seed, versions, backend, splits, configuration, false negatives", async () => {
  await inFolder(async (out) => {
    const { records } = await reproduce(["table2"], backend, smoke(out));
    const record = records.find(({ id }) => id === "ace-lora")!;
    const { configuration, sets } = record;
    assertEquals([record.seed, record.backend, record.steps, record.timed_steps], [1, "wasm", 2, 2]);
    assertEquals(configuration["model"], {
      name: "mini_joint.safetensors",
      sha256: await hashPath(MINI_JOINT_WEIGHTS),
    });
    for (const { split } of Object.values(sets)) assertMatch(split.hash, /^[0-9a-f]{64}$/);
    assertEquals(Object.values(sets).map(({ split }) => split.size), [10, 10, 10]);
    assertEquals(record.false_negatives.pairs, 2 * 8 * 7);
    assert(record.false_negatives.identical > 0 && record.false_negatives.identical % 2 === 0);
    assert(record.peak_tensor_bytes > 4 * record.total, "more than the frozen weights");
    assertEquals(record.explained!.length, 7, "one case of each class but No Finding");
    assert("deno" in record.versions && "tfjs" in record.versions);
  });
});

Deno.test("executeRun() leaves no tensor behind, whatever trains", async () => {
  const context = await openContext(SCALES.smoke);
  const { encoders } = context;
  await context.generalist();
  const runs = plannedRuns(["table1"], encoders, [1]).filter(({ id }) => ["none", "full", "ace-lora"].includes(id));
  for (const run of runs) await noLeak(async () => void await executeRun(context, backend, run));
  await context.close();
});

Deno.test("the paper's scale is refused without its files, all of them named at once", async () => {
  await inFolder(async (out) => {
    const paper = { scale: "paper", out } as const;
    await assertRejects(
      () => reproduce(["table1"], backend, paper),
      Deno.errors.NotFound,
      "the folder of its files must be named",
    );
    await Deno.mkdir(join(out, "rsna"));
    const error = await assertRejects(
      () => reproduce(["table1"], backend, { ...paper, data: out }),
      Deno.errors.NotFound,
    );
    for (const name of ["open_clip_pytorch_model.bin", "tokenizer.json", "mimic-cxr/", "chexpert5x200/", "siim/"]) {
      assert(error.message.includes(name), `${name} in ${error.message}`);
    }
    assert(!error.message.includes("rsna/"), error.message);
    await assertRejects(
      () => reproduce(["histopathology"], backend, { ...paper, data: out }),
      Deno.errors.NotFound,
      "lc25000/ or mhist/",
    );
  });
});

Deno.test("table 2 has a row for each model in models/, and refuses a folder that lacks a file", async () => {
  await inFolder(async (out) => {
    const tiny = join(out, "data", "models", "tiny");
    const fixture = new URL("../clip/clip_fixtures/pair_vit_bert/", import.meta.url);
    await Deno.mkdir(tiny, { recursive: true });
    for (const name of ["config.json", "model.safetensors"]) {
      await Deno.copyFile(new URL(name, fixture), join(tiny, name));
    }
    const data = join(out, "data");
    await assertRejects(
      () => reproduce(["table2"], backend, smoke(out, { data })),
      Deno.errors.NotFound,
      "must hold a tokeniser",
    );
    const { text_config } = JSON.parse(await Deno.readTextFile(join(tiny, "config.json")));
    const words = Array.from({ length: text_config.vocab_size - 5 }, (_, i) => `w${i}`);
    await Deno.writeTextFile(
      join(tiny, "vocab.txt"),
      ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...words].join("\n"),
    );
    // The same model under a name that has a protocol of its own, and one for CheXpert's classes alone.
    for (const name of ["CheXzero", "MedCLIP"]) {
      await Deno.mkdir(join(data, "models", name));
      for (const file of ["config.json", "model.safetensors", "vocab.txt"]) {
        await Deno.copyFile(join(tiny, file), join(data, "models", name, file));
      }
    }
    const { records, failed } = await reproduce(["table2"], backend, smoke(out, { data }));
    assertEquals(failed, []);
    const row = records.find(({ id }) => id === "model-tiny")!;
    assertEquals([row.label, row.trainable, Object.keys(row.sets).length], ["tiny, zero-shot", 0, 3]);
    const models = reproducedTables(records).find(({ title }) => title.endsWith(": models"))!;
    assertEquals(models.table.rows.map(([name, model]) => [name, model]).slice(2, 6), [
      ["CheXzero, zero-shot", "CheXzero"],
      ["MedCLIP, zero-shot", "MedCLIP"],
      ["tiny, zero-shot", "tiny"],
      ["OpenAI CLIP ViT-B/16", "absent: no files in models/clip-vit-base-patch16"],
    ]);
    const own = records.find(({ id }) => id === "model-chexzero-own")!;
    const asked = records.find(({ id }) => id === "model-chexzero")!;
    assertEquals((own.configuration["evaluation"] as { protocol: { name: string } }).protocol.name, "chexzero");
    assertEquals(asked.sets, row.sets); // the same weights, asked alike
    assertNotEquals(own.sets, asked.sets);
    const medclip = records.find(({ id }) => id === "model-medclip-own")!;
    assertEquals(Object.keys(medclip.sets), ["CheXpert-5xN (synthetic)"]);
    const two = reproducedTables(records).find(({ title }) => title.endsWith(": two protocols"))!;
    const cell = (value: unknown) => (value as { text: string } | null)?.text ?? null;
    const figures = two.table.rows.map(([name, set, mine, paper]) => [name, set, cell(mine), cell(paper)]);
    const auroc = (record: typeof row, set: string) => record.sets[set]?.auroc?.toFixed(3) ?? null;
    const expected = [["CheXzero", own, asked], ["MedCLIP", medclip, row], ["tiny", row, row]] as const;
    assertEquals(
      figures,
      expected.flatMap(([name, mine, paper]) =>
        Object.keys(row.sets).map((set) => [name, set, auroc(mine, set), auroc(paper, set)])
      ),
    );
    assertEquals((await reproduce(["table2"], backend, smoke(out, { data }))).skipped, 7);
  });
});

Deno.test("table 4 is one run a seed, skipped when it is done", async () => {
  await inFolder(async (out) => {
    const first = await reproduce(["table4"], backend, smoke(out));
    assertEquals([first.ran, first.skipped, first.failed, first.dense.map(({ seed }) => seed)], [1, 0, [], [1]]);
    const { table } = table4(first.dense.map(({ result }) => result));
    assertEquals(table.rows.map(([adapter]) => adapter), [
      ...["none", "LoRA", "ACE-LoRA", "constant answer"],
      ...["paper, ACE-LoRA (SIIM, RSNA)", "paper, other rows"],
    ]);
    assertEquals(table.rows[4]!.slice(2), ["46.34", "not published here", "21.29", "not published here"]);
    const again = await reproduce(["table4"], backend, smoke(out));
    assertEquals([again.ran, again.skipped, again.dense.length], [0, 1, 1]);
  });
});

Deno.test("histopathology is asked of the real tiles where they are, beside the synthetic ones", async () => {
  await inFolder(async (out) => {
    const tile = { width: 8, height: 8, channels: 3, depth: 8, data: new Uint8Array(192).fill(120) } as const;
    for (const name of ["lung_n", "lung_aca", "lung_scc", "colon_aca", "colon_n"]) {
      const folder = join(out, "data", "lc25000", name);
      await Deno.mkdir(folder, { recursive: true });
      for (const n of [1, 2]) await Deno.writeFile(join(folder, `${n}.png`), encodePng(tile));
    }
    const { records } = await reproduce(["histopathology"], backend, smoke(out, { data: join(out, "data") }));
    const { sets } = records[0]!;
    assertEquals(Object.entries(sets).map(([name, { synthetic, split }]) => [name, synthetic, split.size]), [
      ["Histopathology (synthetic)", true, 10],
      ["lc25000", false, 10],
    ]);
    assertEquals(sets["lc25000"]!.accuracy, 0.2, "equal images are all called alike");
    assertEquals(reproducedTables(records)[0]!.table.synthetic, false, "mixed: each set says what it is");
  });
});

Deno.test("plannedSteps() counts the pairs of a set whose size is not known before it is read", async () => {
  const runs = plannedRuns(["table2"], MINI, [1, 2, 3]);
  const train = () => Promise.resolve({ cases: { length: 130 } } as never);
  const steps = (scale: "paper" | "smoke") => plannedSteps({ scale: SCALES[scale], data: { train } as never }, runs);
  assertEquals(await steps("paper"), 3 * 3 * 40); // three seeds, batches of 64, 64 and 2, 40 epochs
  assertEquals(await steps("smoke"), 3 * 2 * 1);
  assertEquals(await plannedSteps({ scale: SCALES.paper, data: { train } as never }, []), 0);
});
