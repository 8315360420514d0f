/** Which cases trained an adapter and which chose its weights: listed by train, told by the commands that judge it, before its model is read. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { readAdapter, writeAdapter } from "../../lib/adapters/files.ts";
import { ACE_LORA_CONFIG } from "../../lib/adapters/config.ts";
import { adaptedFrom } from "../../lib/cli/classifier.ts";
import { parseCommandLine } from "../../lib/cli/command_line.ts";
import { COMMAND as EVALUATE } from "../../lib/cli/evaluate.ts";
import { adapterFrom } from "../../lib/cli/model_options.ts";
import { MINI } from "../../lib/clip/architectures.ts";
import { fingerprints } from "../../lib/data/seen.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { inFolder } from "../folder.ts";
import { miniAdapter, writeDamagedWeights, writeMiniAdapter, writePairs, writeRadiographs } from "./fixtures.ts";
import { fail, MINI_FILES, run, succeed } from "./run.ts";

/** Twelve pairs of six patients, and a set of four images with classes of which patient p0 has one. */
async function writeSets(folder: string): Promise<{ pairs: string; held: string }> {
  const pairs = await writePairs(join(folder, "pairs"), 12);
  const [head, ...rows] = (await Deno.readTextFile(pairs)).trimEnd().split("\n");
  await Deno.writeTextFile(pairs, [`${head},patient`, ...rows.map((row, i) => `${row},p${i % 6}`)].join("\n") + "\n");
  await writeRadiographs(join(folder, "held"), 4, 9);
  const held = join(folder, "held.csv");
  const lines = [0, 1, 2, 3].map((i) => `held/${i}.png,${i % 2 ? "pneumonia" : "normal"},q${i},note ${i}`);
  await Deno.writeTextFile(held, `path,class,patient,text\n${lines.join("\n")}\n`);
  return { pairs, held };
}

const hashes = (...ids: string[]): string[] => ids.flatMap((id) => [...fingerprints([{ id }])]);

Deno.test("train lists the cases that chose: those validated on in best.safetensors, and where patience ends it in the last, too", async () => {
  await inFolder(async (folder) => {
    const { pairs, held } = await writeSets(folder);
    const out = join(folder, "out");
    const permissions = { read: [...MINI_FILES, folder], write: [out] };
    const chose = async (name: string): Promise<string[] | undefined> => {
      const { chose } = await readAdapter(join(out, name));
      return chose && [...chose];
    };
    const args = ["train", "--pairs", pairs, "--patient-column", "patient", "--batch-size", "6", "--rank", "2"];
    args.push("--learning-rate", "0", "--hgnn", "none", "--out", out); // every validation gives the same figure
    const expected = [...fingerprints([0, 1, 2, 3].map((i) => ({ id: `held/${i}.png`, patientId: `q${i}` })))].sort();
    await succeed([...args, "--epochs", "1"], permissions);
    assertEquals([await chose("best.safetensors"), await chose("adapter.safetensors")], [[], []]);
    await succeed([...args, "--epochs", "1", "--validate", held, "--overwrite"], permissions);
    assertEquals([await chose("best.safetensors"), await chose("adapter.safetensors")], [expected, []]);

    const patient = [...args, "--epochs", "5", "--validate", held, "--patience"];
    const ended = await succeed([...patient, "2", "--overwrite"], permissions);
    assertStringIncludes(ended, "; ended at step 6 of 10, after 2 validations without a better one; wrote");
    assertEquals([await chose("best.safetensors"), await chose("adapter.safetensors")], [expected, expected]);
    const nothingLeft = await succeed([...patient, "2", "--resume"], permissions);
    assertEquals(
      nothingLeft,
      "nothing was left to do: the run ended with step 6, as --patience 2 asks after 2 validations without a better one; " +
        "--patience above 2, or none, goes on with it\n",
    );
    await succeed([...patient, "4", "--resume"], permissions);
    assertEquals(JSON.parse(await Deno.readTextFile(join(out, "training.json"))).history.length, 10);
    const over = await succeed([...patient, "4", "--resume"], permissions);
    assertStringIncludes(over, "--epochs N with --patience above 4, or none, goes on with it");

    const next = ["--adapter", join(out, "best.safetensors"), "--validate", pairs, "--out", join(out, "next")];
    const onHeld = ["train", "--pairs", held, "--epochs", "1", "--batch-size", "4", "--loss", "info-nce"];
    await fail([...onHeld, ...next], [
      "must not have seen the test cases: it has seen 12 of 12; validate on cases it was not trained on",
    ], permissions);
    await succeed([...onHeld, ...next.filter((_, i) => i !== 2 && i !== 3)], permissions);
    const { seen } = await readAdapter(join(out, "next/adapter.safetensors"));
    assertEquals(seen?.length, 12 + 6 + 4); // cases and patients of the one run, cases of the other: no column named those
    assertEquals(await chose("next/adapter.safetensors"), expected);

    const untold = await writeMiniAdapter(join(folder, "untold.safetensors"));
    const later = join(out, "later");
    const { code, stderr } = await run([...onHeld, "--adapter", untold, "--out", later], permissions);
    assertEquals(code, 0, stderr);
    const limit = `"${untold}" does not say which cases it was trained on: the adapters of this run list its own alone`;
    assertStringIncludes(stderr, `warning: ${limit}`);
    assertStringIncludes(JSON.parse(await Deno.readTextFile(join(later, "training.json"))).warnings.join(), limit);
    assertEquals(await chose("later/adapter.safetensors"), undefined, "whether cases chose the first is not known");
  });
});

Deno.test("train --resume keeps what every part of the run was warned of, on the page and in the record, each once", async () => {
  await inFolder(async (folder) => {
    const pairs = await writePairs(join(folder, "pairs"), 8);
    const out = join(folder, "out");
    const train = (epochs: string, ...more: string[]): Promise<string> =>
      succeed([
        ...["train", "--pairs", pairs, "--epochs", epochs, "--batch-size", "8", "--rank", "2", "--hgnn", "none"],
        ...["--learning-rate", "0", "--out", out, ...more],
      ], { read: [...MINI_FILES, folder], write: [out] });
    await train("1");
    await train("2", "--resume");
    await train("4", "--resume");
    const { warnings } = JSON.parse(await Deno.readTextFile(join(out, "training.json")));
    const goingOn = warnings.filter((text: string) => text.includes("goes on with"));
    assertEquals(goingOn.map((text: string) => text.slice(0, 49)), [
      "the run began with 1 epochs and goes on with 2: f",
      "the run began with 2 epochs and goes on with 4: f",
    ]);
    assertEquals(new Set(warnings).size, warnings.length);
    const page = await Deno.readTextFile(join(out, "training.html"));
    for (const text of goingOn) assertStringIncludes(page, text.slice(0, 49)); // before what HTML escapes
    const lines = (await Deno.readTextFile(join(out, "log.jsonl"))).trimEnd().split("\n").map((line) =>
      JSON.parse(line)
    );
    assertEquals(
      lines.filter(({ warning }) => warning?.includes("goes on with")).map(({ step }) => step),
      [1, 2],
    );
  });
});

Deno.test("what is judged on cases that chose the weights says so in terminal, record and page, and is not refused", async () => {
  await inFolder(async (folder) => {
    const { held } = await writeSets(folder);
    const [adapter, boxes, out] = [join(folder, "a.safetensors"), join(folder, "boxes.csv"), join(folder, "out")];
    await Deno.writeTextFile(boxes, "path,label,x,y,w,h\nheld/0.png,Mass,0,0,9,9\nheld/1.png,Nodule,0,0,9,9\n");
    const lists = { seen: hashes("other.png"), chose: hashes("held/0.png", "held/1.png", "held/2.png", "held/3.png") };
    await writeAdapter(adapter, { ...miniAdapter(), ...lists }, { format: "ace" });
    const options = { read: [...MINI_FILES, folder], write: [out] };
    const probe = ["probe", "--images", held, "--split-column", "part", "--methods", "knn", "--shots", "1"];
    const table = await Deno.readTextFile(held);
    const parts = table.trimEnd().split("\n").map((row, i) =>
      `${row},${["part", "train", "train", "validation", "test"][i]}`
    );
    await Deno.writeTextFile(held, parts.join("\n") + "\n");
    for (
      const { args, count, record, page } of [
        { args: ["evaluate", "--images", held], count: "4 of these 4", record: "metrics", page: "evaluation" },
        { args: [...probe, "--seeds", "1"], count: "1 of these 1", record: "probe", page: "probe" },
        { args: ["retrieve", "--pairs", held], count: "4 of these 4", record: "retrieval", page: undefined },
        {
          args: ["explain", "--images", held, "--boxes", boxes, "--curves", "0", "--maps", "similarity"],
          count: "4 of these 4",
          record: "explain",
          page: "explain",
        },
      ]
    ) {
      const to = join(out, record);
      const { code, stdout, stderr } = await run([...args, "--adapter", adapter, "--out", to], options);
      assertEquals(code, 0, stderr);
      const expected =
        `the weights of "${adapter}" were chosen by figures on ${count} cases, or on their patients: here its ` +
        "figures are too good";
      assertStringIncludes(stderr, `warning: ${expected}\n`);
      if (record === "metrics") assertStringIncludes(stdout, `\n\nWarning: ${expected}.\n`);
      assertEquals(stderr.indexOf("chosen by"), stderr.lastIndexOf("chosen by"), "it is told once");
      assertEquals(JSON.parse(await Deno.readTextFile(join(to, `${record}.json`))).warnings, [expected]);
      if (page === undefined) continue;
      assertStringIncludes(await Deno.readTextFile(join(to, `${page}.html`)), "were chosen by figures on");
    }
    const predictions = join(out, "metrics/predictions.csv");
    const compared = await run(["evaluate", "--compare", predictions, predictions, "--out", join(out, "c")], options);
    assertStringIncludes(compared.stderr, "were chosen by figures on 4 of these 4 cases");
    const card = [
      "export",
      "--card",
      join(out, "card.md"),
      "--adapter",
      adapter,
      "--metrics",
      join(out, "metrics/metrics.json"),
    ];
    await succeed(card, options);
    assertStringIncludes(await Deno.readTextFile(join(out, "card.md")), "Warning: the weights of");
  });
});

Deno.test("cases that an adapter was trained on are refused before the model's weights are read, and a file that does not list who chose says so", async () => {
  await inFolder(async (folder) => {
    const { held } = await writeSets(folder);
    const [adapter, boxes, out] = [join(folder, "a.safetensors"), join(folder, "boxes.csv"), join(folder, "out")];
    await Deno.writeTextFile(boxes, "path,label,x,y,w,h\nheld/0.png,Mass,0,0,9,9\nheld/1.png,Nodule,0,0,9,9\n");
    const broken = await writeDamagedWeights(join(folder, "broken.safetensors"), NaN);
    const options = { read: [...MINI_FILES, folder], write: [out] };
    const commands = [
      ["evaluate", "--images", held],
      ["probe", "--images", held, "--methods", "knn", "--shots", "1", "--seeds", "1"],
      ["retrieve", "--pairs", held],
      ["explain", "--images", held, "--boxes", boxes],
    ];
    const seen = hashes("held/0.png", "held/1.png", "held/2.png", "held/3.png");
    await writeAdapter(adapter, { ...miniAdapter(), seen }, { format: "ace" });
    const model = ["--adapter", adapter, "--weights", broken, "--out", out];
    for (const args of commands) await fail([...args, ...model], ["must not have seen the test cases"], options);
    await writeAdapter(adapter, { ...miniAdapter(), seen: hashes("other.png") }, { format: "ace" });
    const untold = await run(["evaluate", "--images", held, "--adapter", adapter, "--out", out], options);
    assertStringIncludes(
      untold.stderr,
      "does not say which cases chose its weights, so that none of them is evaluated",
    );
    await writeMiniAdapter(adapter);
    const older = await run(["evaluate", "--images", held, "--adapter", adapter, "--out", join(out, "older")], options);
    assertStringIncludes(older.stderr, "does not say which cases it was trained on, so that none of them is evaluated");
  });
});

Deno.test("an adapter is read once: what a command was given of it is what it compiles for and puts on the model", async () => {
  await inFolder(async (folder) => {
    await selectBackend({ backend: "cpu" });
    const path = await writeMiniAdapter(join(folder, "a.safetensors"));
    const args = parseCommandLine(EVALUATE, ["--images", folder, "--adapter", path]);
    const adapter = await adapterFrom(args);
    await Deno.remove(path);
    const { params, config } = await adaptedFrom(args, { adapter });
    disposeParams(params);
    assertEquals([config.lora?.rank, config.hgnn?.hidden], [ACE_LORA_CONFIG.rank, MINI.embedding / 4]);
  });
});

Deno.test("retrieve takes a study's name for no patient's, and knows patients by their own column beside it", async () => {
  await inFolder(async (folder) => {
    const { held } = await writeSets(folder);
    const [adapter, out] = [join(folder, "a.safetensors"), join(folder, "out")];
    await writeAdapter(adapter, {
      ...miniAdapter(),
      seen: [...fingerprints([{ id: "other.png", patientId: "q0" }])],
      chose: [],
    }, {
      format: "ace",
    });
    const options = { read: [...MINI_FILES, folder], write: [out] };
    const args = ["retrieve", "--pairs", held, "--study-column", "patient", "--adapter", adapter, "--out", out];
    await fail(
      [...args, "--patient-column", "patient"],
      ["must not have seen the test cases: it has seen 1 of 4"],
      options,
    );
    const { studies } = JSON.parse(await succeed([...args, "--json"], options));
    assertEquals(studies, 4);
  });
});
