/** Images that cannot be read, and images that were replaced. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { readSafetensors } from "../../lib/io/safetensors.ts";
import { inFolder } from "../folder.ts";
import { JPEG, writePairs, writeRadiographs } from "./fixtures.ts";
import { fail, MINI_FILES, run } from "./run.ts";

const QUICK = ["--epochs", "1", "--batch-size", "2", "--rank", "2"];

/** A CSV of four films and notes, the last a JPEG that ends too soon. */
async function writeCorrupt(folder: string): Promise<string> {
  const csv = await writePairs(folder, 3);
  const whole = await Deno.readFile(JPEG);
  await Deno.writeFile(join(folder, "cut.jpg"), whole.subarray(0, Math.floor(whole.length * 0.6)));
  const rows = (await Deno.readTextFile(csv)).trimEnd().split("\n");
  const labelled = rows.map((row, i) => `${row},${i === 0 ? "class" : ["normal", "pneumonia"][i % 2]}`);
  await Deno.writeTextFile(csv, [...labelled, `cut.jpg,"Broken."${",".repeat(14)},normal`, ""].join("\n"));
  return csv;
}

/** train, evaluate and encode with an image that cannot be read: refused before the work, then left out and counted. */
async function checkCommands(csv: string, cut: string, folder: string): Promise<void> {
  const options = { read: [...MINI_FILES, folder, join(csv, "..")], write: [folder] };
  const count = (await Deno.readTextFile(csv)).trimEnd().split("\n").length - 1;
  for (
    const [name, args, record] of [
      ["train", ["--pairs", csv, "--loss", "info-nce", ...QUICK, "--out", join(folder, "t")], "t/training.json"],
      [
        "evaluate",
        ["--images", csv, "--classes", "normal,pneumonia", "--out", join(folder, "e")],
        "e/metrics.json",
      ],
      ["encode", ["--images", csv, "--out", join(folder, "f.safetensors")], "f.safetensors"],
    ] as [string, string[], string][]
  ) {
    await fail([name, ...args], [`1 of ${count} cannot be read`, cut, "--unreadable drop"], options);
    const { code, stderr } = await run([name, ...args, "--unreadable", "drop"], options);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stderr, `1 of ${count} images are left out`);
    assert(stderr.split("\n").some((line) => line.startsWith("unreadable: ") && line.includes(cut)), stderr);
    const path = join(folder, record);
    if (name === "encode") {
      const { metadata } = await readSafetensors(path);
      assertEquals([metadata["unreadable_images"], JSON.parse(metadata["image_ids"]!).length], ["1", count - 1]);
      continue;
    }
    const log = JSON.parse(await Deno.readTextFile(path));
    const summary = name === "train" ? log.data : log.configuration.summary;
    assertEquals([summary.kept, summary.dropped["image unreadable"]], [count - 1, 1]);
    const model = name === "train" ? log.model : log.configuration.model;
    assertStringIncludes(model.notice, "has seen only drawings");
    assertEquals([model.adapter, model.weights_sha256.length], [null, 64]);
  }
}

Deno.test("train, evaluate and encode name an image that cannot be read before the work, and leave it out when told", async () => {
  await inFolder(async (folder) => {
    const csv = await writeCorrupt(join(folder, "data"));
    await checkCommands(csv, join(folder, "data", "cut.jpg"), folder);
  });
});

Deno.test("encode makes again what was made from other images, says which, and replaces no other file", async () => {
  await inFolder(async (folder) => {
    const paths = await writeRadiographs(join(folder, "films"), 3);
    const out = join(folder, "f.safetensors");
    const args = ["encode", "--images", join(folder, "films"), "--out", out];
    const options = { read: [...MINI_FILES, folder], write: [folder] };
    assertEquals((await run(args, options)).code, 0);
    assertStringIncludes((await run(args, options)).stderr, "nothing to do: 3 items are there");
    await Deno.copyFile(paths[0]!, paths[1]!);
    const { code, stderr } = await run(args, options);
    assertEquals(code, 0);
    assert(/is made again, .*image_stamps was ".*", now ".*" for item "1\.png"/.test(stderr), stderr);
    const { tensors } = await readSafetensors(out);
    const row = tensors.get("image_features")!.data;
    assertEquals(row.slice(0, 256), row.slice(256, 512)); // 64 numbers of 4 bytes each: the copy's row is the original's
    await Deno.writeTextFile(out, "path,text\n");
    await fail(args, [out, "it is something else", "--force"], options);
    assertEquals(await Deno.readTextFile(out), "path,text\n");
  });
});

Deno.test("classify refuses the mini model's vocabulary with a line missing, and its JSON says what a shipped model has seen, under any name", async () => {
  await inFolder(async (folder) => {
    const [film] = await writeRadiographs(folder, 1);
    const lines = (await Deno.readTextFile(MINI_FILES[1]!)).trimEnd().split("\n");
    const short = join(folder, "vocab.txt");
    await Deno.writeTextFile(short, lines.filter((_, i) => i !== 100).join("\n") + "\n");
    const options = { read: [...MINI_FILES, folder] };
    const args = ["classify", film!, "--labels", "a,b"];
    await fail([...args, "--tokenizer", short], [short, "506 entries", "found 505"], options);
    const copy = join(folder, "own.safetensors");
    for (const shipped of [undefined, MINI_FILES[0], MINI_FILES[2]]) {
      if (shipped !== undefined) await Deno.copyFile(shipped, copy);
      const { stdout } = await run([...args, "--json", ...(shipped ? ["--weights", copy] : [])], options);
      assertStringIncludes(JSON.parse(stdout).notice, "has seen only drawings");
    }
  });
});
