/** evaluate, end to end. */
import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { writeAdapter } from "../../lib/adapters/files.ts";
import { aceLoraModel } from "../../lib/ace_lora.ts";
import { fingerprints } from "../../lib/data/seen.ts";
import { loadFolder } from "../../lib/data/folder.ts";
import { trainTestSplit } from "../../lib/data/splits.ts";
import { assess } from "../../lib/eval/assess.ts";
import { loadClip } from "../../lib/clip/load.ts";
import type { EvaluationRecord } from "../../lib/display/evaluation.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { inFolder } from "../folder.ts";
import { miniAdapter, writeClasses, writeMimic, writeMiniAdapter, writeRadiographs } from "./fixtures.ts";
import { fail, MINI_FILES, run, snapshot, succeed } from "./run.ts";

const sha256 = async (text: string): Promise<string> =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).toHex();

/** RSNA's table for `count` patients, every third with a box. */
async function writeRsna(folder: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, i) => `patient-${String(i).padStart(4, "0")}`);
  const rows = ids.map((id, i) => i % 3 === 0 ? `${id},10,20,30,40,1` : `${id},,,,,0`);
  await Deno.writeTextFile(
    join(folder, "stage_2_train_labels.csv"),
    `patientId,x,y,width,height,Target\n${rows.join("\n")}\n`,
  );
  return ids;
}

Deno.test("evaluate --list prints the paper's split of RSNA and its hash, without images, weights or environment", async () => {
  await inFolder(async (folder) => {
    const ids = await writeRsna(folder, 40);
    const expected = trainTestSplit(40, { testSize: 0.15 }).test.map((i) => ids[i]!);
    const args = ["evaluate", "--dataset", "rsna", "--root", folder, "--list"];
    const lines = (await succeed(args, { read: [folder], env: [] })).trimEnd().split("\n");
    const hash = await sha256(expected.join("\n"));
    assertEquals(lines, [...expected, `rsna, split test: 6 cases, sha256 ${hash}`]);
    const json = JSON.parse(await succeed([...args, "--json"], { read: [folder], env: [] }));
    assertEquals([json.ids, json.split], [expected, { name: "test", size: 6, hash }]);
    const train = JSON.parse(await succeed([...args, "--json", "--split", "train"], { read: [folder], env: [] }));
    assertEquals([train.ids.length, train.ids.some((id: string) => expected.includes(id))], [34, false]);
  });
});

Deno.test("evaluate --list tells MIMIC-CXR's training cases, and those of a folder", async () => {
  await inFolder(async (folder) => {
    const root = await writeMimic(join(folder, "mimic"), 3);
    const stdout = await succeed(["evaluate", "--dataset", "mimic-cxr", "--root", root, "--list"], {
      read: [folder],
      env: [],
    });
    assertEquals(stdout.trimEnd().split("\n").slice(0, -1), ["image-0", "image-1", "image-2"]);
    await writeClasses(join(folder, "set"), ["a", "b"], 1);
    const listed = await succeed(["evaluate", "--images", join(folder, "set"), "--list"], { read: [folder], env: [] });
    assertEquals(listed, `a/0.png\nb/0.png\nset, split all: 2 cases, sha256 ${await sha256("a/0.png\nb/0.png")}\n`);
  });
});

Deno.test("evaluate gives the library's figures, for each layout of an adapter and for prompts of the user's own", async () => {
  await inFolder(async (folder) => {
    const set = join(folder, "set"), out = join(folder, "out");
    await writeClasses(set, ["normal", "pneumonia"], 4);
    await Deno.mkdir(out);
    const [ace, peft, authors] = [
      await writeMiniAdapter(join(folder, "a.safetensors")),
      join(folder, "peft"),
      join(folder, "a.pt"),
    ];
    await writeAdapter(peft, miniAdapter(), { format: "peft" });
    await writeAdapter(authors, miniAdapter(), { format: "authors" });
    const evaluate = async (...more: string[]) => {
      const stdout = await succeed([
        "evaluate",
        "--images",
        set,
        "--names",
        "No Finding,pneumonia",
        "--json",
        "--overwrite",
        "--out",
        out,
        ...more,
      ], {
        read: [...MINI_FILES, folder],
        write: [out],
      });
      const record = JSON.parse(stdout);
      assertEquals(JSON.parse(await Deno.readTextFile(join(out, "metrics.json"))), record);
      return record;
    };
    const figures = ({ sets }: { sets: Record<string, Record<string, { auroc: number; accuracy: number }>> }) => {
      const { auroc, accuracy } = Object.values(sets["set"]!)[0]!;
      return { auroc, accuracy };
    };
    const plain = await evaluate();
    assertEquals(plain.splits.set.size, 8);
    const adapted = [];
    for (const adapter of [ace, peft, authors]) adapted.push(figures(await evaluate("--adapter", adapter)));
    assertEquals(adapted[1], adapted[0]);
    assertEquals(adapted[2], adapted[0]);
    await selectBackend({ backend: "wasm" });
    const { params, config, tokenizer } = await loadClip();
    const dataset = { ...await loadFolder(set), classes: ["No Finding", "pneumonia"] };
    const model = aceLoraModel({ encoders: config, learnScale: false });
    const { result } = await assess(model, params, dataset, { config, tokenizer });
    assertAlmostEquals(figures(plain).auroc, result.auroc!, 1e-9);
    assertEquals(figures(plain).accuracy, result.accuracy);
    assertEquals(plain.configuration.score, "softmax");
    const { scores } = await assess(model, params, { ...dataset, score: "min-max" }, { config, tokenizer });
    for (let i = 0; i < scores.length; i += 2) assertEquals([...scores.slice(i, i + 2)].toSorted(), [0, 1]);
    const mine = await evaluate("--prompts", "{c}");
    assertEquals(mine.configuration.prompts, ["{c}"]);
    const { result: own } = await assess(model, params, dataset, { config, tokenizer, templates: ["{c}"] });
    assertAlmostEquals(figures(mine).auroc, own.auroc!, 1e-9);
  });
});

Deno.test("evaluate reads a CSV by its columns, several classes a cell included, and shows a table and the split", async () => {
  await inFolder(async (folder) => {
    await writeRadiographs(folder, 5);
    const csv = join(folder, "cases.csv"), out = join(folder, "out");
    await Deno.writeTextFile(
      csv,
      "file,finding\n0.png,edema|pneumonia\n1.png,edema\n2.png,pneumonia\n3.png,nodule\n4.png,\n",
    );
    await Deno.mkdir(out);
    const args = ["evaluate", "--images", csv, "--image-column", "file", "--class-column", "finding", "--out", out];
    const permissions = { read: [...MINI_FILES, folder], write: [out] };
    const stdout = await succeed([...args, "--separator", "|"], permissions);
    assertMatch(stdout, /accuracy \(95 % CI\)\s+AUROC/);
    const hash = await sha256("0.png\n1.png\n2.png\n3.png");
    assert(stdout.includes(`split all: 4 cases, sha256 ${hash}`), stdout);
    const record = JSON.parse(await Deno.readTextFile(join(out, "metrics.json")));
    assertEquals(record.configuration.task, "multilabel");
    assertEquals(record.configuration.classes, ["edema", "nodule", "pneumonia"]);
    assertEquals(record.configuration.summary, { read: 5, kept: 4, dropped: { "no class": 1 } });
  });
});

Deno.test("evaluate --by groups by a column of a published set's own table", async () => {
  await inFolder(async (folder) => {
    const images = join(folder, "images");
    await writeRadiographs(images, 24);
    const rows = Array.from({ length: 24 }, (_, i) => `${i}.png,${i % 2 ? "SSA" : "HP"},${i < 12 ? 1 : 6},test`);
    const header = "Image Name,Majority Vote Label,votes,Partition";
    await Deno.writeTextFile(join(folder, "annotations.csv"), [header, ...rows].join("\n"));
    const out = join(folder, "out");
    const args = ["evaluate", "--dataset", "mhist", "--root", folder, "--by", "votes", "--resamples", "5", "--json"];
    const permissions = { read: [...MINI_FILES, folder], write: [out] };
    const record = JSON.parse(await succeed([...args, "--out", out], permissions));
    const [result] = Object.values(record.sets.mhist) as { evaluation: EvaluationRecord }[];
    assertEquals(result!.evaluation.subgroups.map(({ by, group, n }) => [by, group, n]), [
      ["votes", "1", 12],
      ["votes", "6", 12],
    ]);
  });
});

Deno.test("evaluate refuses bad input in one line that names file, row and expectation, and writes nothing", async () => {
  await inFolder(async (folder) => {
    await writeRadiographs(folder, 2);
    const csv = join(folder, "cases.csv"),
      out = join(folder, "out"),
      empty = join(folder, "empty"),
      hollow = join(folder, "hollow");
    await Deno.writeTextFile(csv, "path,class\n0.png,normal\n1.png,pnuemonia\n");
    const absent = join(folder, "absent.csv"),
      ragged = join(folder, "ragged.csv"),
      lost = join(folder, "lost.csv"),
      nothing = join(folder, "nothing.csv");
    await Deno.writeTextFile(ragged, "path,class\n0.png,normal,3\n");
    await Deno.writeTextFile(lost, "path,class\n0.png,normal\n7.png,normal\n");
    await Deno.writeTextFile(nothing, "path,class\n0.png,\n");
    await Deno.mkdir(empty);
    await Deno.mkdir(join(hollow, "a"), { recursive: true });
    await Deno.mkdir(out);
    await writeRsna(folder, 10);
    const refuse = (args: string[], ...patterns: (string | RegExp)[]) =>
      fail(["evaluate", ...args, "--out", out], patterns, { read: [...MINI_FILES, folder], write: [out] });
    await refuse(
      ["--images", csv, "--classes", "normal,pneumonia"],
      csv,
      "row 3",
      "must be one of normal, pneumonia",
      '"pnuemonia"',
    );
    await refuse(
      ["--images", csv, "--class-column", "finding"],
      csv,
      'must have a column "finding"',
      '"path", "class"',
    );
    await refuse(["--images", csv, "--where", "split"], "--where must be COLUMN=VALUE");
    await refuse(["--images", csv, "--names", "a"], "--names must have one name a class: 2 classes");
    await refuse(["--images", absent], absent, "there is none");
    await refuse(["--images", ragged], ragged, "row 2 must have 2 fields: it has 3");
    await refuse(["--images", lost], lost, "row 3", "7.png");
    await refuse(["--images", nothing], nothing, "a row must be left", "no class");
    await refuse(["--images", empty], empty, "it must hold a folder for each class");
    await refuse(["--images", hollow], join(hollow, "a"), "it must hold an image");
    await refuse(["--images", hollow, "--classes", "b"], hollow, '"b" is not among a');
    await writeClasses(join(folder, "set"), ["a", "b"], 1);
    await refuse(
      ["--images", join(folder, "set"), "--by", "sex"],
      "--by needs a table",
      '"sex"',
      "set carries no such",
    );
    await refuse([], "--images PATH is required");
    await refuse(["--dataset", "rsna"], "--root DIR is required");
    await refuse(["--dataset", "rsna", "--root", empty], empty, "stage_2_train_labels.csv");
    await refuse(["--dataset", "rsna", "--root", folder], "stage_2_train_labels.csv", "its image must exist");
    await refuse(
      ["--dataset", "rsna", "--root", folder, "--split", "half"],
      "its split must be one of test, train",
      '"half"',
    );
    await refuse(["--root", folder], "--root needs --dataset");
    const root = await writeMimic(join(folder, "mimic"), 1);
    await refuse(
      ["--dataset", "mimic-cxr", "--root", root],
      "mimic-cxr",
      "its images must be of two classes or more: it has none",
    );
    await refuse(["--images", csv, "--adapter", join(folder, "0.png")], join(folder, "0.png"));
    await refuse(["--images", csv, "--batch-size", "0"], "--batch-size must be a number of at least 1");
    assertEquals(await snapshot(out), {});
  });
});

Deno.test("evaluate cannot write where it was not allowed to, and says so in one line", async () => {
  await inFolder(async (folder) => {
    await writeClasses(join(folder, "set"), ["a", "b"], 1);
    const args = ["evaluate", "--images", join(folder, "set"), "--out", join(folder, "elsewhere")];
    const { code, stderr } = await run(args, { read: [...MINI_FILES, folder], write: [join(folder, "out")] });
    assertEquals(code, 1);
    assertMatch(stderr, /error: .*elsewhere.*(write access|--allow-write)/);
  });
});

Deno.test("evaluate refuses images of one class, says what to type, and takes a class that no image is of", async () => {
  await inFolder(async (folder) => {
    await writeClasses(join(folder, "set"), ["normal"], 3);
    const rows = [0, 1, 2].map((i) => `normal/${i}.png,normal`).join("\n");
    await Deno.writeTextFile(join(folder, "set", "one.csv"), `path,class\n${rows}\n`);
    const out = join(folder, "out");
    await Deno.mkdir(out);
    const permissions = { read: [...MINI_FILES, folder], write: [out] };
    for (const images of [join(folder, "set"), join(folder, "set", "one.csv")]) {
      const patterns = [
        'as its images must be of two classes or more: it has one, "normal"',
        /--classes "?normal,OTHER/,
      ];
      await fail(["evaluate", "--images", images, "--out", out], patterns, permissions);
    }
    const args = ["evaluate", "--images", join(folder, "set", "one.csv"), "--classes", "normal,pneumonia", "--json"];
    const { sets } = JSON.parse(await succeed([...args, "--out", out], permissions));
    const { accuracy, auroc, skipped, n } = sets.one["zero-shot"];
    assertEquals([n, auroc, skipped, accuracy >= 0], [3, null, ["normal", "pneumonia"], true]);
  });
});

Deno.test("evaluate says which classes the AUROC leaves out, in the table and in metrics.json", async () => {
  await inFolder(async (folder) => {
    await writeClasses(folder, ["a", "b"], 2);
    const rows = ["a/0.png,Edema", "a/1.png,Edema|Mass", "b/0.png,Mass", "b/1.png,Edema|Fibrosis"];
    await Deno.writeTextFile(join(folder, "t.csv"), `path,class\n${rows.join("\n")}\n`);
    const out = join(folder, "out");
    await Deno.mkdir(out);
    const args = ["evaluate", "--images", join(folder, "t.csv"), "--separator", "|", "--out", out];
    const classes = ["--classes", "Edema,Mass,Fibrosis,Hernia"];
    const stdout = await succeed([...args, ...classes], { read: [...MINI_FILES, folder], write: [out] });
    assertMatch(stdout, /AUROC of t without Hernia/);
    assertMatch(stdout, /Hernia +0 +undefined/);
    const { sets } = JSON.parse(await Deno.readTextFile(join(out, "metrics.json")));
    const { skipped, per_class, auroc } = sets.t["zero-shot"];
    assertEquals(skipped, ["Hernia"]);
    const names = ["Edema", "Mass", "Fibrosis", "Hernia"];
    assertEquals([Object.keys(per_class), names.map((name) => per_class[name].n)], [names, [3, 2, 1, 0]]);
    assertEquals(per_class.Hernia.auroc, null);
    const defined = ["Edema", "Mass", "Fibrosis"].map((name) => per_class[name].auroc);
    assertAlmostEquals(auroc, defined.reduce((a, b) => a + b, 0) / 3, 1e-12);
  });
});

Deno.test("evaluate, train and encode drop and count a CSV's rows without image under --missing drop", async () => {
  await inFolder(async (folder) => {
    await writeClasses(folder, ["a", "b"], 2);
    const rows = ["a/0.png,a,One.", "a/1.png,b,Two.", "b/none.png,a,Three.", "b/1.png,b,Four."];
    const csv = join(folder, "t.csv"), out = join(folder, "out");
    await Deno.writeTextFile(csv, `path,class,text\n${rows.join("\n")}\n`);
    await Deno.mkdir(out);
    const permissions = { read: [...MINI_FILES, folder], write: [out] };
    const counted = /4 read, 3 kept, dropped 1 \(image missing\)/;
    for (
      const args of [
        ["evaluate", "--images", csv, "--out", out],
        ["encode", "--images", csv, "--out", join(out, "features.safetensors")],
        ["train", "--pairs", csv, "--loss", "info-nce", "--epochs", "1", "--batch-size", "3", "--out", out],
      ]
    ) {
      await fail(args, ["row 4 as its image must exist"], permissions);
      const { code, stderr } = await run([...args, "--missing", "drop"], permissions);
      assertEquals(code, 0, stderr);
      assertMatch(stderr, counted, args[0]);
    }
  });
});

Deno.test("evaluate refuses cases an adapter was trained on, and says where a file of 0.1.0 does not tell", async () => {
  await inFolder(async (folder) => {
    const [set, out, path] = [join(folder, "set"), join(folder, "out"), join(folder, "adapter.safetensors")];
    await writeClasses(set, ["normal", "pneumonia"], 2);
    const args = ["evaluate", "--images", set, "--adapter", path, "--out", out];
    const permissions = { read: [...MINI_FILES, folder], write: [out] };
    await writeAdapter(path, { ...miniAdapter(), seen: [...fingerprints([{ id: "normal/1.png" }])] }, {
      format: "ace",
    });
    const reason = /adapter\.safetensors" as its training must not have seen the test cases: it has seen 1 of 4/;
    await fail(args, [reason, "--held-out"], permissions);
    await writeAdapter(path, { ...miniAdapter(), seen: [...fingerprints([{ id: "other/1.png" }])], chose: [] }, {
      format: "ace",
    });
    const { stderr, code } = await run(args, permissions);
    assertEquals([code, stderr.includes("cannot be checked")], [0, false]);
    await writeAdapter(path, miniAdapter(), { format: "ace" });
    await fail(args, [`"${out}" holds an earlier result`, "metrics.json", "--out", "--overwrite"], permissions);
    assertMatch(
      (await run([...args, "--overwrite"], permissions)).stderr,
      /does not say which cases it was trained on/,
    );
  });
});

Deno.test("retrieve, explain and probe refuse cases an adapter was trained on, too", async () => {
  await inFolder(async (folder) => {
    await writeRadiographs(join(folder, "films"), 6);
    const [csv, boxes, out] = [join(folder, "cases.csv"), join(folder, "boxes.csv"), join(folder, "out")];
    const adapter = join(folder, "adapter.safetensors");
    const ids = Array.from({ length: 6 }, (_, i) => `films/${i}.png`);
    await Deno.writeTextFile(
      csv,
      `path,text,class\n${ids.map((id, i) => `${id},note ${i},${i % 2 ? "Mass" : "Nodule"}`).join("\n")}\n`,
    );
    await Deno.writeTextFile(boxes, `path,label,x,y,w,h\n${ids[0]},Mass,0,0,9,9\n${ids[1]},Nodule,0,0,9,9\n`);
    await writeAdapter(adapter, { ...miniAdapter(), seen: [...fingerprints(ids.map((id) => ({ id })))] }, {
      format: "ace",
    });
    const permissions = { read: [...MINI_FILES, folder], write: [out] };
    for (
      const args of [
        ["retrieve", "--pairs", csv],
        ["explain", "--images", csv, "--boxes", boxes],
        ["probe", "--images", csv, "--methods", "linear", "--shots", "1", "--seeds", "1"],
      ]
    ) {
      const reason = /must not have seen the test cases: it has seen \d of \d; give cases it was not trained on/;
      const expected = args[0] === "probe" ? /must not have seen the test cases/ : reason;
      await fail([...args, "--adapter", adapter, "--out", out], [expected], permissions);
    }
  });
});

Deno.test("evaluate --protocol asks by a preset or a file of prompts, over several checkpoints", async () => {
  await inFolder(async (folder) => {
    const set = join(folder, "set"), out = join(folder, "out"), prompts = join(folder, "prompts.json");
    await writeClasses(set, ["No Finding", "pneumonia"], 2);
    await Deno.mkdir(out);
    await Deno.writeTextFile(
      prompts,
      JSON.stringify({ prompts: { "no finding": ["no finding"], pneumonia: ["pneumonia"] }, score: "cosine" }),
    );
    const evaluate = async (...more: string[]): Promise<{ record: Record<string, unknown>; rows: string[][] }> => {
      const options = { read: [...MINI_FILES, folder], write: [out] };
      await succeed(["evaluate", "--images", set, "--json", "--overwrite", "--out", out, ...more], options);
      const { configuration } = JSON.parse(await Deno.readTextFile(join(out, "metrics.json")));
      const csv = await Deno.readTextFile(join(out, "predictions.csv"));
      return { record: configuration, rows: csv.trimEnd().split("\n").map((line) => line.split(",")) };
    };
    const plain = await evaluate();
    const pairs = await evaluate("--protocol", "chexzero");
    assertEquals([pairs.record["protocol"], pairs.record["score"]], ["chexzero", "softmax"]);
    const own = await evaluate("--protocol", prompts);
    assertEquals(own.record["score"], "cosine");
    const scoresOf = ({ rows }: { rows: string[][] }): string[] => rows.slice(1).map((row) => row.slice(-2).join());
    assertEquals(new Set([plain, pairs, own].map((one) => scoresOf(one).join())).size, 3);
    // A checkpoint averaged with itself is itself.
    const twice = await evaluate("--protocol", "chexzero", "--ensemble", MINI_FILES[0]!);
    assertEquals([scoresOf(twice), twice.record["ensemble"]], [scoresOf(pairs), MINI_FILES[0]]);
    const fails = async (more: string[], pattern: RegExp): Promise<void> =>
      await fail(["evaluate", "--images", set, "--overwrite", "--out", out, ...more], [pattern], {
        read: [...MINI_FILES, folder],
        write: [out],
      });
    await fails(["--protocol", "gloria"], /prompts for each class: it has Atelectasis, Cardiomegaly/);
    await fails(["--protocol", "chexzer"], /did you mean "chexzero"/);
    await fails(["--protocol", "chexzero", "--prompts", "{c}"], /--protocol and --prompts exclude each other/);
  });
});

Deno.test("evaluate --scale backbone takes the backbone's scale in place of the adapter's", async () => {
  await inFolder(async (folder) => {
    const set = join(folder, "set"), out = join(folder, "out");
    await writeClasses(set, ["No Finding", "pneumonia"], 2);
    await Deno.mkdir(out);
    const adapter = await writeMiniAdapter(join(folder, "a.safetensors"));
    const scores = async (...more: string[]): Promise<string> => {
      const options = { read: [...MINI_FILES, folder], write: [out] };
      await succeed(
        ["evaluate", "--images", set, "--json", "--overwrite", "--out", out, "--adapter", adapter, ...more],
        options,
      );
      return await Deno.readTextFile(join(out, "predictions.csv"));
    };
    const learned = await scores();
    assertEquals(await scores("--scale", "adapter"), learned);
    assert(await scores("--scale", "backbone") !== learned);
  });
});
