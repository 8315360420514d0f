/** train, end to end: pairs, MIMIC-CXR, Ctrl-C and resume, bad input. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { readAdapter } from "../../lib/adapters/files.ts";
import { loadPairs } from "../../lib/data/pairs.ts";
import { exists } from "../../lib/io/files.ts";
import { tar } from "../data/tar.ts";
import { eventually } from "../eventually.ts";
import { inFolder } from "../folder.ts";
import { DICOM, writeDamagedWeights, writeMimic, writePairs } from "./fixtures.ts";
import { command, fail, MINI_FILES, run, snapshot, succeed } from "./run.ts";

const permissions = (folder: string) => ({ read: [...MINI_FILES, folder], write: [join(folder, "out")] });
const QUICK = ["--epochs", "2", "--batch-size", "4", "--rank", "2"];

/** The run's files, those of its log and the lock aside. */
async function results(out: string): Promise<string[]> {
  return Object.keys(await snapshot(out)).filter((name) =>
    !/^(log\.jsonl|training\.html|tensorboard\/.*|\.lock|.*_config\.json)$/.test(name)
  ).sort();
}

async function inRun(body: (paths: { folder: string; out: string }) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    await Deno.mkdir(join(folder, "out"));
    await body({ folder, out: join(folder, "out") });
  });
}

Deno.test("train adapts to MIMIC-CXR's layout with the label-guided loss by its CheXpert labels", async () => {
  await inRun(async ({ folder, out }) => {
    const root = await writeMimic(join(folder, "mimic"), 8);
    const stdout = await succeed(
      ["train", "--dataset", "mimic-cxr", "--root", root, "--out", out, ...QUICK],
      permissions(folder),
    );
    assert(stdout.startsWith("last loss "), stdout);
    assertEquals(stdout.trimEnd().split("\n").length, 1);
    const log = JSON.parse(await Deno.readTextFile(join(out, "training.json")));
    assertEquals(log.settings.loss, "label-guided");
    assertEquals(log.data.name, "mimic-cxr");
    assertEquals([log.data.read, log.data.kept, log.data.dropped], [10, 8, {
      "other split": 1,
      "not a frontal view": 1,
    }]);
    assertEquals(log.history.length, 4);
    assertEquals((await readAdapter(join(out, "adapter.safetensors"))).config.rank, 2);
    assertEquals(Object.keys(await snapshot(out)).filter((name) => name.endsWith(".tmp")), []);
  });
});

Deno.test("train learns the same from WebDataset shards as from the CSV, and names what is wrong with them", async () => {
  await inRun(async ({ folder, out }) => {
    const pairs = await writePairs(join(folder, "pairs"), 5);
    const { cases } = await loadPairs(pairs, { text: "text" });
    const files: [string, string | Uint8Array][] = [];
    for (const [i, { text, path }] of cases.entries()) {
      files.push([`${i}.png`, await Deno.readFile(path!)], [`${i}.txt`, text!], [`${i}.json`, `{"patient": ${i}}`]);
    }
    await Deno.writeFile(join(folder, "s-0.tar"), tar(files.slice(0, 6)));
    await Deno.writeFile(join(folder, "s-1.tar"), tar(files.slice(6)));
    const histories: unknown[] = [];
    for (const from of [pairs, join(folder, "s-{0..1}.tar")]) {
      const to = join(out, String(histories.length));
      await succeed(["train", "--pairs", from, "--loss", "info-nce", "--out", to, ...QUICK], permissions(folder));
      histories.push(JSON.parse(await Deno.readTextFile(join(to, "training.json"))).history);
    }
    assertEquals(histories[1], histories[0]);
    const args = ["train", "--pairs", join(folder, "s-1.tar"), "--out", join(out, "x")];
    await fail([...args, "--patient-column", "subject"], ["s-1.tar", '"subject"'], permissions(folder));
    await fail([...args, "--image-column", "path"], ["--image-column", "tar"], permissions(folder));
    await Deno.truncate(join(folder, "s-1.tar"), 900);
    await fail(args, ["s-1.tar", "cut short"], permissions(folder));
  });
});

Deno.test("train keeps the text affinity of its layers, or the one asked for, and goes on with no other", async () => {
  await inRun(async ({ folder, out }) => {
    const pairs = await writePairs(join(folder, "pairs"), 4);
    const args = [
      "train",
      "--pairs",
      pairs,
      "--loss",
      "info-nce",
      ...QUICK,
      "--positions",
      "half-bottom",
    ];
    for (const [more, expected] of [[[], "logits"], [["--text-affinity", "probabilities"], "probabilities"]] as const) {
      const to = join(out, expected);
      const { stderr } = await run([...args, "--out", to, ...more], permissions(folder));
      assertStringIncludes(stderr, "LoRA in text layers 0-1, image layers 0-1;");
      const { config } = await readAdapter(join(to, "adapter.safetensors"));
      const log = JSON.parse(await Deno.readTextFile(join(to, "training.json")));
      assertEquals([config.textAffinity ?? "probabilities", log.text_affinity], [expected, expected]);
      assertEquals(log.lora_layers, { text: [0, 1], image: [0, 1] }, "half of the model's four layers");
    }
    const other = [...args, "--out", join(out, "logits"), "--resume", "--text-affinity", "probabilities"];
    const { code, stderr } = await run(other, permissions(folder));
    assertEquals(code, 1, stderr);
    assertStringIncludes(stderr, "textAffinity");
  });
});

Deno.test("train interrupted by Ctrl-C and resumed comes to the same adapter as without", async () => {
  await inRun(async ({ folder, out }) => {
    const pairs = await writePairs(join(folder, "pairs"), 12);
    const plan = ["train", "--pairs", pairs, "--epochs", "12", "--batch-size", "4", "--seed", "3"];
    const args = [...plan, "--rank", "2"];
    const straight = join(out, "straight"), broken = join(out, "broken");
    const first = await run([...args, "--out", straight, "--resume"], permissions(folder));
    assertEquals(first.code, 0, first.stderr);
    assertStringIncludes(first.stderr, `nothing to resume: no "${join(straight, "state.safetensors")}"`);

    const child = command([...args, "--out", broken], permissions(folder)).spawn();
    await eventually(() => exists(join(broken, "state.safetensors")), "the state after the first epoch", 2);
    child.kill("SIGINT");
    const { code, stdout, stderr } = await child.output();
    const told = new TextDecoder().decode(stderr);
    assertEquals([code, stdout.length], [130, 0], told);
    const step = Number(/interrupted after step (\d+)/.exec(told)?.[1]);
    assert(step >= 3 && step < 36, told);
    assertEquals(await Deno.stat(join(broken, "adapter.safetensors")).catch(() => "none"), "none");

    await succeed([...args, "--out", broken, "--resume"], permissions(folder));
    for (const file of ["adapter.safetensors", "best.safetensors"]) {
      assertEquals(await Deno.readFile(join(broken, file)), await Deno.readFile(join(straight, file)), file);
    }
    const record = async (where: string) => JSON.parse(await Deno.readTextFile(join(where, "training.json")));
    const [whole, resumed] = [await record(straight), await record(broken)];
    assertEquals(resumed.history, whole.history);
    assertEquals([whole.resumed_at_step, resumed.resumed_at_step], [undefined, step]);
    const again = await succeed([...args, "--out", broken, "--resume"], permissions(folder));
    assertStringIncludes(again, "nothing was left to do: the run ended with step 36");
    assertEquals(await record(broken), resumed);
    await fail(
      [...plan, "--out", broken, "--resume", "--rank", "4"],
      ["state.safetensors", "lora.rank must be the same: it was 2, current value is 4; give --rank 2"],
      permissions(folder),
    );
  });
});

Deno.test("train refuses bad input in one line that names file, row and expectation, and writes nothing", async () => {
  await inRun(async ({ folder, out }) => {
    const pairs = await writePairs(join(folder, "pairs"), 2);
    const table = await Deno.readTextFile(pairs);
    const write = async (name: string, text: string): Promise<string> => {
      const path = join(folder, "pairs", name);
      await Deno.writeTextFile(path, text);
      return path;
    };
    const [header, first, second] = table.split("\n") as [string, string, string];
    const label = await write("label.csv", [header, first, second.replace(/[^,]*$/, "2"), ""].join("\n"));
    const plain = await write("plain.csv", "path,text\n0.png,one\n1.png,two\n");
    const broken = await write("broken.csv", "path,text\n0.png,one\nbroken.png,two\n");
    await Deno.writeTextFile(join(folder, "pairs", "broken.png"), "\x89PNG\r\n\x1a\nnothing");
    const wordless = await write("wordless.csv", "path,text\n0.png,\n");
    const latin = join(folder, "pairs", "latin.csv");
    await Deno.writeFile(
      latin,
      new Uint8Array([112, 97, 116, 104, 44, 116, 101, 120, 116, 10, 48, 46, 112, 110, 103, 44, 0xe9, 10]),
    );
    const nan = await writeDamagedWeights(join(folder, "nan.safetensors"), NaN);
    const mimic = await writeMimic(join(folder, "mimic"), 2);
    const studies = join(mimic, "mimic-cxr-2.0.0-chexpert.csv");
    const labels = await Deno.readTextFile(studies);

    const refuse = (args: string[], ...patterns: (string | RegExp)[]) =>
      fail(["train", ...args, "--out", out, ...QUICK], patterns, permissions(folder));
    await refuse(["--pairs", label], label, "row 3", '"Support Devices" must be 1, 0, -1 or blank', '"2"');
    await refuse(["--pairs", pairs, "--text-column", "note"], pairs, 'must have a column "note"');
    await refuse(["--pairs", plain, "--loss", "label-guided"], plain, "must have the 14 CheXpert columns");
    await refuse(["--pairs", broken], join(folder, "pairs", "broken.png"));
    await refuse(["--pairs", wordless], wordless, "no text");
    await refuse(["--pairs", latin], latin, "UTF-8");
    await refuse(["--pairs", DICOM.replace(/[^/]*$/, "absent.csv")], "absent.csv");
    await refuse(["--pairs", pairs, "--weights", nan], nan, "element 7 is NaN");
    await refuse([], "--pairs PATH is required");
    await refuse(["--pairs", pairs, "--positions", "middle"], "--positions must be one of all, bottom");
    await refuse(["--pairs", pairs, "--targets", "q,x"], '--targets must be among q, k, v, o: current value is "x"');
    await refuse(["--pairs", pairs, "--dropout", "1"], "--dropout must be a number of at least 0 and below 1");
    await refuse(["--pairs", pairs, "--learning-rate", "fast"], "--learning-rate must be a number");
    await refuse(["--dataset", "rsna", "--root", folder], "stage_2_train_labels.csv");
    await Deno.writeTextFile(
      studies,
      labels.replace("\n1000101,", "\n1000101x,").replace(/,[^,]*\n/, ",7\n").replace("Support Devices\n", ""),
    );
    await refuse(["--dataset", "mimic-cxr", "--root", mimic], studies);
    assertEquals(await snapshot(out), {});
  });
});

Deno.test("train stops when numbers are not finite, and writes nothing", async () => {
  await inRun(async ({ folder, out }) => {
    const pairs = await writePairs(join(folder, "pairs"), 4);
    const args = ["train", "--pairs", pairs, "--out", out, "--epochs", "2", "--rank", "2"];
    args.push("--warmup-epochs", "0", "--learning-rate", "1e38", "--batch-size");
    await fail(
      [...args, "2"],
      ["the loss must be finite", /at step 2, samples \d/],
      permissions(folder),
    );
    await fail([...args, "4"], ["the adapter as its numbers must be finite", "--learning-rate"], permissions(folder));
    assertEquals(await results(out), []); // what was logged on the way stays
  });
});

Deno.test("train --resume names what differs from the run it goes on with, and both values", async () => {
  await inRun(async ({ folder, out }) => {
    const pairs = await writePairs(join(folder, "pairs"), 8);
    const args = (more: readonly string[] = []): string[] => {
      const plan = new Map([["--epochs", "2"], ["--batch-size", "4"], ["--rank", "2"], ["--weight-decay", "0.02"]]);
      for (let i = 0; i < more.length; i += 2) plan.set(more[i]!, more[i + 1]!);
      return ["train", "--pairs", pairs, "--out", out, ...[...plan].flat()];
    };
    await succeed(args(), permissions(folder));
    const refused = (more: readonly string[], ...expected: string[]): Promise<void> =>
      fail([...args(more), "--resume"], ["state.safetensors", ...expected], permissions(folder));
    await refused(
      ["--epochs", "1"],
      "epochs must be the same: it was 2, current value is 1; give --epochs 2, or start",
    );
    await refused(
      ["--weight-decay", "0.1"],
      "weightDecay",
      "it was 0.02, current value is 0.1; give --weight-decay 0.02",
    );
    const table = await Deno.readTextFile(pairs);
    await Deno.writeTextFile(pairs, table.replace(/,"([^"])/, ',"Otherwise: $1'));
    await refused([], 'texts must be the same: it was "', "--overwrite");
    await Deno.writeTextFile(pairs, table.replace(/(\n0\.png,"[^"]*",).*/, `$11${",".repeat(13)}`));
    await refused([], "labels must be the same");
    await Deno.writeTextFile(pairs, table);
    await Deno.copyFile(join(folder, "pairs/1.png"), join(folder, "pairs/0.png"));
    await refused([], "images must be the same");
  });
});

Deno.test("train leaves a finished run alone without --overwrite, and a folder in which another run is under way", async () => {
  await inRun(async ({ folder, out }) => {
    const pairs = await writePairs(join(folder, "pairs"), 8);
    const args = ["train", "--pairs", pairs, "--out", out, ...QUICK];
    await succeed(args, permissions(folder));
    const before = await snapshot(out);
    await fail([...args, "--seed", "2"], [`"${out}" holds a finished run`, "--overwrite"], permissions(folder));
    assertEquals(await snapshot(out), before);
    await succeed([...args, "--seed", "2", "--overwrite"], permissions(folder));
    assertEquals(await results(out), [
      "adapter.safetensors",
      "best.safetensors",
      "state.previous.safetensors",
      "state.safetensors",
      "training.json",
    ]);
    await Deno.remove(join(out, "adapter.safetensors"));
    await fail(args, [`"${out}" holds an interrupted run: --resume goes on`], permissions(folder));

    const both = join(out, "both");
    const long = ["train", "--pairs", pairs, "--out", both, "--epochs", "400", "--batch-size", "4"];
    const child = command(long, permissions(folder)).spawn();
    await eventually(() => exists(join(both, "state.safetensors")), "the state after the first epoch");
    await fail([...long, "--resume"], [`another run is writing to "${both}"`], permissions(folder));
    child.kill("SIGKILL");
    await child.output();
    const going = command([...long, "--resume"], permissions(folder)).spawn(); // the lock went with the process
    let told = "";
    for await (const text of going.stderr.pipeThrough(new TextDecoderStream())) {
      const isUnderWay = /\btrain \d+\/\d+/;
      if (!isUnderWay.test(told) && isUnderWay.test(told + text)) going.kill("SIGINT");
      told += text;
    }
    await going.stdout.cancel();
    assertEquals((await going.status).code, 130, told);
    assert(/interrupted after step \d+/.test(told), told);
  });
});

Deno.test("train refuses pairs that teach nothing, and says once in terminal and log when they teach little", async () => {
  await inRun(async ({ folder, out }) => {
    const pairs = await writePairs(join(folder, "pairs"), 6);
    const [head, ...rows] = (await Deno.readTextFile(pairs)).trimEnd().split("\n");
    const write = async (name: string, change: (row: string, i: number) => string): Promise<string> => {
      const path = join(folder, "pairs", name);
      await Deno.writeTextFile(path, [head, ...rows.map(change)].join("\n") + "\n");
      return path;
    };
    const same = await write("same.csv", (row) => row.replace(/"[^"]*"/, '"No finding."'));
    const blank = await write("blank.csv", (row) => `${/^.*"[^"]*"/.exec(row)![0]}${",".repeat(14)}`);
    const refused = (args: string[], ...expected: string[]): Promise<void> =>
      fail(["train", ...args, "--out", out], expected, permissions(folder));
    await refused(["--pairs", same, "--loss", "info-nce"], "the texts must differ");
    await refused(["--pairs", blank], "labels differ", "--loss info-nce");
    await refused(["--pairs", pairs, "--batch-size", "1"], "a batch must hold at least two pairs", "--batch-size");
    await refused(["--pairs", pairs, "--where", "path=0.png"], "at least two pairs: current value is 1");
    assertEquals(await snapshot(out), {});

    const long = await write(
      "long.csv",
      (row) => row.replace(/"[^"]*"/, (text) => `"${text.slice(1, -1).repeat(20)}"`),
    );
    const { code, stderr } = await run(["train", "--pairs", long, "--out", out, ...QUICK], permissions(folder));
    assertEquals([code, stderr.match(/^warning: every text fills the model's context/gm)?.length], [0, 1], stderr);
    const { warnings, model } = JSON.parse(await Deno.readTextFile(join(out, "training.json")));
    assert(warnings[0].startsWith("every text fills the model's context of 48 tokens"), warnings[0]);
    assertEquals([model.weights, model.weights_sha256.length], ["shipped mini model", 64]);
    assertStringIncludes(model.notice, "has seen only drawings");
  });
});

Deno.test("train on captions of classes is validated on patients held out, logs as it goes and goes on from its adapter", async () => {
  await inRun(async ({ folder, out }) => {
    const pairs = await writePairs(join(folder, "pairs"), 16);
    const classes = ["Edema", "Mass|Edema", "No Finding", "Mass"];
    const rows = Array.from({ length: 16 }, (_, i) => `${i}.png,${classes[i % 4]},p${i % 8}`);
    const table = join(folder, "pairs/classes.csv");
    await Deno.writeTextFile(table, `path,class,patient\n${rows.join("\n")}\n`);
    const captions = join(folder, "captions.txt");
    await Deno.writeTextFile(captions, "Film of {c}.\n{c} is seen.\n");
    const args = ["train", "--pairs", table, "--captions", captions, "--separator", "|", "--patient-column", "patient"];
    const validated = [...args, "--validate", "0.25", "--validate-every", "1", ...QUICK, "--out", out];
    const stdout = await succeed([...validated, "--clip-norm", "0.5"], permissions(folder));
    const record = JSON.parse(await Deno.readTextFile(join(out, "training.json")));
    assertEquals([record.data.kept, record.validation.data.split.size, record.settings.clipNorm], [12, 4, 0.5]);
    const figures = record.validation.figures as { step: number; name: string; value: number }[];
    assertEquals(figures.map(({ step, name }) => [step, name]), [1, 2, 3, 4, 5, 6].map((step) => [step, "auroc"]));
    const highest = Math.max(...figures.map(({ value }) => value));
    const best = figures.find(({ value }) => value === highest)!; // of equal ones the first is kept
    assertStringIncludes(stdout, `; best auroc ${highest.toFixed(4)}, after step ${best.step}; wrote`);
    const lines = (await Deno.readTextFile(join(out, "log.jsonl"))).trimEnd().split("\n").map((line) =>
      JSON.parse(line)
    );
    const steps = lines.filter((line) => "loss" in line);
    assertEquals(steps.map(({ loss, learning_rate }) => ({ loss, learningRate: learning_rate })), record.history);
    assertEquals(
      lines.filter((line) => "validation" in line).map(({ step, value }) => [step, value]),
      figures.map(({ step, value }) => [step, value]),
    );
    for (const { images_per_second, waiting_share, memory_mib, gradient_norm } of steps) {
      assert(images_per_second > 0 && waiting_share >= 0 && waiting_share <= 1 && memory_mib > 0 && gradient_norm > 0);
    }
    const page = await Deno.readTextFile(join(out, "training.html"));
    assertStringIncludes(page, "Step 6 of 6, ended");
    assertEquals(page.includes('http-equiv="refresh"'), false);
    assertEquals((await Array.fromAsync(Deno.readDir(join(out, "tensorboard")))).length, 1);

    const next = join(out, "next");
    const more = [
      ...args,
      "--shots",
      "2",
      "--adapter",
      join(out, "best.safetensors"),
      "--epochs",
      "1",
      "--batch-size",
      "2",
      "--out",
      next,
    ];
    await succeed(more, permissions(folder));
    assertEquals((await readAdapter(join(next, "adapter.safetensors"))).config.rank, 2);
    assertEquals(JSON.parse(await Deno.readTextFile(join(next, "training.json"))).data.kept, 5);
    await fail(
      [...more, "--overwrite", "--rank", "4"],
      ["--adapter and --rank exclude each other"],
      permissions(folder),
    );
    await fail(
      [...args, "--validate", table, "--out", join(out, "x")],
      ["Cannot validate on", "it trains on 16 of 16"],
      permissions(folder),
    );
    await fail(
      ["train", "--pairs", pairs, "--validate", "0.2", "--out", join(out, "x")],
      ["--patient-column"],
      permissions(folder),
    );
    await fail(
      ["train", "--pairs", pairs, "--patience", "2", "--out", join(out, "x")],
      ["--patience needs --validate"],
      permissions(folder),
    );
  });
});
