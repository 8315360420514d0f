/** Learning from labels without texts: `train --head`, and its answers by `evaluate`. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { CHEXPERT_LABELS } from "../../lib/data/types.ts";
import { readSafetensors } from "../../lib/io/safetensors.ts";
import { inFolder } from "../folder.ts";
import { writePairs, writeRadiographs } from "./fixtures.ts";
import { fail, MINI_FILES, run, succeed } from "./run.ts";

const permissions = (folder: string) => ({ read: [...MINI_FILES, folder], write: [folder] });

/** A table of 24 films, 12 patients and three labels, of which the second is rare. */
async function writeLabels(folder: string): Promise<string> {
  await writePairs(join(folder, "pairs"), 24);
  const labels = ["Edema", "Mass|Edema", "", "Edema", "", ""];
  const rows = Array.from({ length: 24 }, (_, i) => `${i}.png,${labels[i % 6] || "No Finding"},p${i % 12}`);
  const table = join(folder, "pairs/labels.csv");
  await Deno.writeTextFile(table, `path,class,patient\n${rows.join("\n")}\n`);
  return table;
}

Deno.test("train --head learns labels of images, goes on to the same bytes, and evaluate gives its answers", async () => {
  await inFolder(async (folder) => {
    const table = await writeLabels(folder);
    const out = join(folder, "run");
    const data = ["train", "--pairs", table, "--separator", "|", "--patient-column", "patient", "--validate", "0.25"];
    const epochs = ["--epochs", "4", "--batch-size", "9", "--micro-batch", "3"];
    const args = [...data, ...epochs, "--head", "joint", "--rank", "2"];
    await succeed([...args, "--out", out], permissions(folder));
    const record = JSON.parse(await Deno.readTextFile(join(out, "training.json")));
    assertEquals(record.settings.loss, "supervised");
    assertEquals(record.head.classes, ["Edema", "Mass", "No Finding"]);
    assertEquals(record.head.positiveWeights[1], 8, "of 18 films 2 show a mass");
    assertEquals(record.validation.figures.map(({ name }: { name: string }) => name), Array(4).fill("auroc"));

    const losses = record.history.map(({ loss }: { loss: number }) => loss);
    assert(losses[6] + losses[7] < losses[0] + losses[1], `the last epoch against the first: ${losses}`);
    const { tensors } = await readSafetensors(join(out, "adapter.safetensors"));
    const names = [...tensors.keys()];
    assert(names.includes("head.weight") && !names.some((name) => /\.text\.|logit_scale/.test(name)), names.join());

    const [adapter, bytes] = [join(out, "adapter.safetensors"), await Deno.readFile(join(out, "adapter.safetensors"))];
    for (const path of [adapter, join(out, "state.safetensors")]) await Deno.remove(path); // the one before is left
    const { stderr } = await run([...args, "--resume", "--out", out], permissions(folder));
    assertStringIncludes(stderr, "state.previous.safetensors");
    assertEquals(await Deno.readFile(adapter), bytes);

    const evaluated = join(folder, "evaluated");
    await writeRadiographs(join(folder, "held"), 6, 9);
    const held = join(folder, "held.csv"); // cases are told apart by their paths
    const rows = ["Edema", "Mass|Edema", "No Finding", "Edema", "Mass", "No Finding"].map((label, i) =>
      `held/${i}.png,${label}`
    );
    await Deno.writeTextFile(held, `path,class\n${rows.join("\n")}\n`);
    const asked = ["evaluate", "--images", held, "--separator", "|", "--adapter", join(out, "best.safetensors")];
    await succeed([...asked, "--resamples", "20", "--out", evaluated], permissions(folder));
    const metrics = JSON.parse(await Deno.readTextFile(join(evaluated, "metrics.json")));
    assertEquals(metrics.configuration.score, "head");
    const predictions = (await Deno.readTextFile(join(evaluated, "predictions.csv"))).split("\n");
    assertStringIncludes(predictions[0]!, "score:Edema,score:Mass,score:No Finding");

    const more = ["--overwrite", "--out", evaluated];
    await fail([...asked, ...more, "--prompts", "{c}"], ["the adapter answers by its head"], permissions(folder));
    const other = [...asked, ...more, "--classes", "Edema,Mass,No Finding", "--names", "Edema,Nodule,No Finding"];
    await fail(other, ['"Nodule" must be among its classes: they are Edema, Mass, No Finding'], permissions(folder));
    const classified = await run(
      ["classify", join(folder, "pairs/0.png"), "--labels", "edema,mass", "--adapter", join(out, "best.safetensors")],
      permissions(folder),
    );
    assertStringIncludes(classified.stderr, "the adapter answers by its head of 3 classes in deno task evaluate alone");

    const alone = ["--head", "alone", "--adapter", join(out, "best.safetensors"), "--out", join(folder, "alone")];
    await succeed([...data, ...epochs, ...alone], permissions(folder));
    const [before, after] = [
      await readSafetensors(join(out, "best.safetensors")),
      await readSafetensors(join(folder, "alone/adapter.safetensors")),
    ];
    const changed = [...after.tensors].filter(([name, { data }]) =>
      data.toHex() !== before.tensors.get(name)!.data.toHex()
    );
    assertEquals(changed.map(([name]) => name).sort(), ["head.bias", "head.weight"]);
  });
});

Deno.test("train --head reads the 14 CheXpert columns, and says what it cannot do", async () => {
  await inFolder(async (folder) => {
    const pairs = await writePairs(join(folder, "pairs"), 8);
    const args = [
      "train",
      "--pairs",
      pairs,
      "--epochs",
      "1",
      "--batch-size",
      "4",
      "--rank",
      "2",
      "--out",
      join(folder, "out"),
    ];
    await succeed([...args, "--head", "joint", "--positive-weight", "2"], permissions(folder));
    const { head } = JSON.parse(await Deno.readTextFile(join(folder, "out/training.json")));
    assertEquals([head.classes.length, head.positiveWeights[3]], [14, 2]);
    const refused: [string[], string][] = [
      [["--head", "alone"], "--head alone needs --adapter"],
      [["--head", "joint", "--captions", "chest"], "--head and --captions exclude each other"],
      [["--head", "joint", "--hgnn", "both"], "--hgnn is image or none"],
      [["--positive-weight", "2"], "--positive-weight needs --head"],
      [["--head", "both"], "--head must be one of joint, alone"],
    ];
    for (const [more, message] of refused) {
      await fail([...args, "--overwrite", ...more], [message], permissions(folder));
    }
    // A Parquet table without the 14 columns is asked for its classes, as a CSV is.
    const parquet = fromFileUrl(new URL("../data/parquet/none.parquet", import.meta.url));
    const { read, write } = permissions(folder);
    const words = [parquet, 'a column "class"'];
    await fail(["train", "--pairs", parquet, "--head", "joint", "--out", join(folder, "p")], words, {
      read: [...read, parquet],
      write,
    });
  });
});

Deno.test("train learns from a Parquet table with the 14 CheXpert columns, by a head and by captions, patients held out", async () => {
  await inFolder(async (folder) => {
    await writePairs(join(folder, "pairs"), 16);
    const table = join(folder, "pairs/films.parquet");
    await Deno.copyFile(fromFileUrl(new URL("../data/parquet/chexpert.parquet", import.meta.url)), table);
    const args = ["train", "--pairs", table, "--patient-column", "patient", "--validate", "0.25", "--rank", "2"];
    const quick = ["--epochs", "1", "--batch-size", "6"];
    const record = async (out: string, ...more: string[]) => {
      await succeed([...args, ...quick, ...more, "--out", join(folder, out)], permissions(folder));
      return JSON.parse(await Deno.readTextFile(join(folder, out, "training.json")));
    };
    const { head, data, history, validation } = await record("head", "--head", "joint");
    assertEquals([head.classes.length, data.kept, history.length], [14, 12, 2]);
    assertEquals([validation.data.split.size, validation.figures.length], [4, 1]);
    assertEquals(head.positiveWeights[CHEXPERT_LABELS.indexOf("Support Devices")], 1, "of which no film is positive");

    const captions = await record("captions", "--captions", "chest");
    assertEquals(captions.settings.loss, "label-guided");
    assertEquals([captions.data.kept, captions.validation.figures[0].name], [12, "auroc"]);
    const named = [...args, ...quick, "--captions", "chest", "--class-column", "finding", "--out", join(folder, "x")];
    await fail(named, [table, 'a column "finding"'], permissions(folder));
  });
});
