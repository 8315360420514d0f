/** probe, end to end: features once, rows of methods and shots, LoRA on the images, one line for bad input. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { inFolder } from "../folder.ts";
import { writeAdapter } from "../../lib/adapters/files.ts";
import { fingerprints } from "../../lib/data/seen.ts";
import { miniAdapter, writeClasses } from "./fixtures.ts";
import { exists } from "../../lib/io/files.ts";
import { fail, MINI_FILES, PACKAGE, run, succeed } from "./run.ts";

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
    assert(record.backend === "wasm" && record.adapter.startsWith("tf.js, "), record.adapter);
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

Deno.test({
  name: "probe stopped by a signal keeps its runs, and the same command goes on from them",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inFolder(async (folder) => {
      const csv = await writeSet(folder);
      const out = join(folder, "out"), part = join(out, "probe.part.json");
      const args = ["probe", "--images", csv, "--split-column", "split", "--out", out, "--methods", "knn,lora"];
      args.push("--shots", "1,2", "--seeds", "1,2", "--epochs", "20", "--learning-rate", "1e-2", "--backend", "wasm");
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-prompt", "--allow-read", "--allow-env", `--allow-write=${folder}`, "cli.ts", ...args],
        cwd: PACKAGE,
        env: { NO_COLOR: "1" },
        stdout: "null",
        stderr: "piped",
      }).spawn();
      const told = new Response(child.stderr).text();
      const keptOf = async () => JSON.parse(await Deno.readTextFile(part).catch(() => '{"runs":[]}'));
      let isRunning = true;
      const ended = child.status.finally(() => isRunning = false);
      while (isRunning && (await keptOf()).runs.length < 4) await new Promise((resolve) => setTimeout(resolve, 20));
      if (isRunning) child.kill("SIGTERM"); // while LoRA trains
      assertEquals((await ended).code, 143, await told);
      assertMatch(await told, /interrupted: \d runs are kept; the same command goes on/);
      const kept = await keptOf();
      assertEquals(kept.runs[0][0], "knn at 1, seed 1");
      assertEquals((await Deno.stat(part)).mode! & 0o777, 0o600);
      kept.runs[0][1].accuracy = 0.123; // none that is computed: the run is not made again
      await Deno.writeTextFile(part, JSON.stringify(kept));
      const options = { read: [folder, ...MINI_FILES], write: [folder] };
      const { rows } = JSON.parse(await succeed([...args, "--json"], options));
      assertEquals(rows[0].runs.map((run: { accuracy: number }) => run.accuracy)[0], 0.123);
      assertEquals(rows.map(({ runs }: { runs: unknown[] }) => runs.length), [2, 2, 2, 2]);
      assertEquals(await exists(part), false);
      await Deno.writeTextFile(part, JSON.stringify(kept));
      const { stderr } = await run([...args.map((word) => word === "20" ? "1" : word), "--overwrite"], options);
      assert(stderr.includes("made under other settings"), stderr);
      await Deno.writeTextFile(part, "{");
      await fail([...args, "--overwrite"], [part, "remove it to start anew"], options);
    });
  },
});

Deno.test("probe refuses test cases that the adapter has seen where all features are kept from other parts, too", async () => {
  await inFolder(async (folder) => {
    const csv = await writeSet(folder);
    const [out, adapter] = [join(folder, "out"), join(folder, "adapter.safetensors")];
    const table = await Deno.readTextFile(csv);
    const trained = table.split("\n").filter((row) => row.endsWith(",train")).map((row) => ({
      id: row.split(",")[0]!,
    }));
    await writeAdapter(adapter, { ...miniAdapter(), seen: [...fingerprints(trained)] }, { format: "ace" });
    const args = ["probe", "--images", csv, "--split-column", "split", "--adapter", adapter, "--out", out];
    args.push("--methods", "knn", "--shots", "1", "--seeds", "1");
    const options = { read: [folder, ...MINI_FILES], write: [out] };
    await succeed(args, options);
    await Deno.writeTextFile(
      csv,
      table.replaceAll(/,(train|test)$/gm, (_, part) => part === "test" ? ",train" : ",test"),
    );
    await fail([...args, "--overwrite"], ["must not have seen the test cases", "8 of 8"], options);
  });
});

Deno.test("probe says how many cases more shots than there are came to, in words, in the table and on the page", async () => {
  await inFolder(async (folder) => {
    const csv = await writeSet(folder);
    const out = join(folder, "out");
    const own = ["--split-column", "split", "--patient-column", "patient", "--out", out, "--methods", "knn"];
    const args = ["probe", "--images", csv, ...own, "--shots", "1,200", "--seeds", "1"];
    const { code, stdout, stderr } = await run(args, { read: [folder, ...MINI_FILES], write: [out] });
    assertEquals(code, 0, stderr);
    const { rows, data: { parts: { train } } } = JSON.parse(await Deno.readTextFile(join(out, "probe.json")));
    assertEquals(rows.map((row: { runs: { cases: number }[] }) => row.runs[0]!.cases), [2, train.size]);
    const { normal, pneumonia } = train.per_class;
    const few = `fewer than 200 cases of normal (${normal}) and pneumonia (${pneumonia}): all of them are taken`;
    assert(stderr.includes(few), stderr);
    const title = `200 shots (${train.size} cases)`;
    assert(stdout.includes(title) && (await Deno.readTextFile(join(out, "probe.html"))).includes(title), stdout);
    assert(/1 shot {2}/.test(stdout), stdout);
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
    await refuse(["--learning-rate", "1e-3,0"], ["--learning-rate", '"0"']);
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
