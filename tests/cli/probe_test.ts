/** probe, end to end: features once, rows of methods and shots, LoRA on the images, one line for bad input. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { inFolder, writeClasses } from "./fixtures.ts";
import { fail, MINI_FILES, run, succeed } from "./run.ts";

/** A CSV of two classes: four to train, two to test, of each; a patient has two images. */
async function writeSet(folder: string): Promise<string> {
  await writeClasses(join(folder, "set"), ["normal", "pneumonia"], 6);
  const rows = ["normal", "pneumonia"].flatMap((name) =>
    Array.from({ length: 6 }, (_, i) => `set/${name}/${i}.png,${name},${name}${i >> 1},${i < 4 ? "train" : "test"}`)
  );
  const csv = join(folder, "cases.csv");
  await Deno.writeTextFile(csv, `path,class,patient,split\n${rows.join("\n")}\n`);
  return csv;
}

Deno.test("probe writes every method's figures, LoRA's among them, and does not encode twice", async () => {
  await inFolder(async (folder) => {
    const csv = await writeSet(folder);
    const out = join(folder, "out");
    const options = { read: [folder, ...MINI_FILES], write: [out] };
    const own = ["--split-column", "split", "--patient-column", "patient", "--out", out];
    const args = ["probe", "--images", csv, ...own, "--shots", "all,1", "--seeds", "1,2"];
    const methods = ["linear", "knn", "tip-adapter", "tip-adapter-f", "clip-adapter", "lora"];
    const record = JSON.parse(
      await succeed([...args, "--methods", methods.join(), "--epochs", "1", "--json"], options),
    );
    assertEquals(
      record.rows.map((
        row: { method: string; shots: number | null; runs: unknown[] },
      ) => [row.method, row.shots, row.runs.length]),
      methods.flatMap((name) => [[name, 1, 2], [name, null, methods.indexOf(name) < 3 ? 1 : 2]]),
    );
    const { train, validation, test } = record.data.parts;
    assertEquals([train.size + validation.size, validation.size, test.size], [8, 2, 4]);
    assertEquals(record.most_frequent, 0.5);
    assert(record.model.notice.includes("only drawings"));
    const page = await Deno.readTextFile(join(out, "probe.html"));
    assert(page.includes("only drawings") && page.includes("LoRA"));
    for (const name of ["probe.json", "probe.html", "images.safetensors"]) {
      assertEquals((await Deno.stat(join(out, name))).mode! & 0o777, 0o600, name);
    }
    await fail([...args, "--methods", "linear"], [`"${out}" holds an earlier result`, "--overwrite"], options);
    const again = await run([...args, "--methods", "linear", "--overwrite"], options);
    assert(!again.stderr.includes("encode"), again.stderr);
    assert(again.stdout.includes("linear probe"));
  });
});

Deno.test("probe says in one line what is wrong", async () => {
  await inFolder(async (folder) => {
    const csv = await writeSet(folder);
    const options = { read: [folder, ...MINI_FILES], write: [folder] };
    const refuse = (extra: string[], words: string[]) =>
      fail(["probe", "--images", csv, "--out", join(folder, "out"), ...extra], words, options);
    await refuse(["--methods", "linear,forest"], ['"forest"', "linear, knn"]);
    await refuse(["--shots", "0"], ["--shots", '"0"']);
    await refuse(["--seeds", "1.5"], ["--seeds", '"1.5"']);
    await refuse(["--methods", "lora", "--adapter", "a.safetensors"], ["takes no --adapter"]);
    await refuse(["--names", "one"], ["2 classes, 1 names"]);
    await Deno.writeTextFile(csv, (await Deno.readTextFile(csv)).replace("pneumonia2,test", "pneumonia1,test"));
    await refuse(["--split-column", "split", "--patient-column", "patient"], ["pneumonia1", "train", "test"]);
    await Deno.writeTextFile(
      csv,
      (await Deno.readTextFile(csv)).replaceAll("pneumonia1", "p").replaceAll(",pneumonia,", ",normal,"),
    );
    await refuse([], ["two classes"]);
  });
});
