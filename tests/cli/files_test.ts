/** inspect, convert and tokenize, end to end. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { readAdapter } from "../../lib/adapters/files.ts";
import { readSafetensors, writeSafetensors } from "../../lib/io/safetensors.ts";
import { loadTokenizer } from "../../lib/text/load_tokenizer.ts";
import { encode } from "../../lib/text/tokenizer.ts";
import { inFolder } from "../folder.ts";
import { DICOM, JPEG, writeDamagedWeights, writeMiniAdapter, writeRadiographs } from "./fixtures.ts";
import { command, errorLines, fail, MINI_FILES, run, snapshot, succeed } from "./run.ts";

const [WEIGHTS, VOCABULARY] = MINI_FILES as [string, string];
const inspect = async (path: string) =>
  JSON.parse(await succeed(["inspect", path, "--json"], { read: [path], env: [] }));

Deno.test("inspect tells weights, reading that file only and no environment", async () => {
  const actual = await inspect(WEIGHTS);
  assertEquals(actual.format, "safetensors");
  assertEquals(actual.total, actual.tensors.reduce((sum: number, t: { count: number }) => sum + t.count, 0));
  assertEquals(actual.tensors.find((t: { name: string }) => t.name === "visual.head.proj.weight").shape, [64, 96]);
  assertEquals(actual.adapter, undefined);
  const text = await succeed(["inspect", WEIGHTS], { read: [WEIGHTS], env: [] });
  assertMatch(text, /visual\.head\.proj\.weight\s+F32\s+\[64, 96\]\s+6,144/);
});

Deno.test("inspect tells DICOM with the SHA-256 of its stored pixels, PNG and JPEG with theirs", async () => {
  const fixtures = JSON.parse(await Deno.readTextFile(join(DICOM, "../expected.json")));
  const dicom = await inspect(DICOM);
  assertEquals(dicom.format, "DICOM");
  assertEquals(dicom.transferSyntax, "1.2.840.10008.1.2");
  assertEquals(dicom.bitsStored, 12);
  assertEquals(dicom.pixelSha256, fixtures.images["implicit_12_window.dcm"].pixels);
  assertEquals((await inspect(JPEG)).format, "JPEG");
  await inFolder(async (folder) => {
    const [path] = await writeRadiographs(folder, 1);
    const actual = await inspect(path!);
    assertEquals([actual.format, actual.channels, actual.bitDepth], ["PNG", 1, 8]);
    assertMatch(actual.pixelSha256, /^[0-9a-f]{64}$/);
  });
});

Deno.test("inspect tells a table, gzipped too, a tokeniser, and an adapter with its trainable total", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "cases.csv");
    await Deno.writeTextFile(path, 'path,"finding, main"\na.png,"x\ny"\nb.png,z\n');
    const { format, columns, rows } = await inspect(path);
    assertEquals({ format, columns, rows }, { format: "csv", columns: ["path", "finding, main"], rows: 2 });
    const zipped = join(folder, "cases.gz");
    const stream = new Blob(["a,b\n1,2\n"]).stream().pipeThrough(new CompressionStream("gzip"));
    await Deno.writeFile(zipped, new Uint8Array(await new Response(stream).arrayBuffer()));
    assertEquals((await inspect(zipped)).columns, ["a", "b"]);
    const adapter = await inspect(await writeMiniAdapter(join(folder, "adapter.safetensors")));
    // 2 x 4 layers x 3 targets x (4 x 96 + 96 x 4); 4 x (64 x 16 + 16 + 16 x 64 + 64); the scale.
    assertEquals([adapter.adapter, adapter.trainableTotal], ["ace", 18_432 + 8_512 + 1]);
  });
  assertEquals((await inspect(VOCABULARY)).special["[CLS]"], 2);
});

Deno.test("inspect tells the other files when one is no file it knows, and ends with 1", async () => {
  await inFolder(async (folder) => {
    const noise = join(folder, "noise");
    await Deno.writeFile(noise, Uint8Array.from({ length: 99 }, (_, i) => i * 37));
    const absent = join(folder, "absent");
    const result = await run(["inspect", "--json", noise, absent, JPEG], { read: [folder, JPEG] });
    assertEquals(result.code, 1);
    assertEquals(JSON.parse(result.stdout).format, "JPEG");
    assertEquals(errorLines(result).map((line) => [line.includes(noise), line.includes(absent)]), [[true, false], [
      false,
      true,
    ]]);
  });
});

Deno.test("inspect keeps control characters of names off the terminal", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "evil\x1b[2J\n.csv");
    await Deno.writeTextFile(path, "a\x1b[31m,b\n1,2\n");
    const text = await succeed(["inspect", path], { read: [folder] });
    // deno-lint-ignore no-control-regex
    assertEquals(/[\x00-\x09\x0b-\x1f]/.test(text), false);
  });
});

Deno.test("convert takes an adapter through every layout and back to the same bytes", async () => {
  await inFolder(async (folder) => {
    const start = await writeMiniAdapter(join(folder, "start.safetensors"));
    const permissions = { read: [folder], write: [folder], env: [] };
    const convert = async (from: string, to: string, out: string, ...more: string[]): Promise<string> => {
      const path = join(folder, out);
      assertEquals(await succeed(["convert", from, "--to", to, "--out", path, ...more], permissions), `${path}\n`);
      return path;
    };
    const peft = await convert(start, "peft", "new/peft");
    assertEquals(JSON.parse(await Deno.readTextFile(join(peft, "adapter_config.json"))).use_rslora, true);
    const authors = await convert(peft, "authors", "adapter.pt");
    const back = await convert(authors, "ace", "back.safetensors");
    assertEquals(await Deno.readFile(back), await Deno.readFile(start));
    assertEquals(await readAdapter(authors), await readAdapter(start));
    const before = await snapshot(folder);
    for (const [to, path, held] of [["peft", peft, "holds an earlier result"], ["ace", back, "is there already"]]) {
      await fail(["convert", start, "--to", to!, "--out", path!], [`"${path}" ${held}`, "--overwrite"], permissions);
    }
    await convert(start, "peft", "new/peft", "--overwrite");
    assertEquals(await snapshot(folder), before, "done again it writes the same");
  });
});

Deno.test("convert takes weights from safetensors to .bin and back", async () => {
  await inFolder(async (folder) => {
    const permissions = { read: [folder, WEIGHTS], write: [folder], env: [] };
    const bin = join(folder, "model.bin"), back = join(folder, "back.safetensors");
    await succeed(["convert", WEIGHTS, "--to", "bin", "--out", bin], permissions);
    await succeed(["convert", bin, "--to", "safetensors", "--out", back], permissions);
    const [a, b] = [await readSafetensors(WEIGHTS), await readSafetensors(back)];
    assertEquals([...b.tensors.keys()].sort(), [...a.tensors.keys()].sort());
    for (const [name, tensor] of a.tensors) assertEquals(b.tensors.get(name), tensor, name);
  });
});

Deno.test("convert --merge writes weights under their own names; ACE-HGNN is left out only where that is said", async () => {
  await inFolder(async (folder) => {
    const adapter = await writeMiniAdapter(join(folder, "a.safetensors"));
    const permissions = { read: [folder, WEIGHTS], write: [folder], env: [] };
    const out = join(folder, "merged.safetensors"), bin = join(folder, "merged.bin");
    const merge = [WEIGHTS, "--merge", adapter, "--out", out];
    await fail(["convert", ...merge], [adapter, "ACE-HGNN", "--drop-hgnn"], permissions);
    await fail(
      ["convert", WEIGHTS, "--drop-hgnn", "--to", "bin", "--out", bin],
      ["--drop-hgnn needs --merge"],
      permissions,
    );
    await fail(["convert", ...merge, "--drop-hgnn", "--to", "peft"], ["--merge needs --to"], permissions);
    await fail(
      ["convert", adapter, "--merge", adapter, "--drop-hgnn", "--out", out],
      [adapter, "image tower"],
      permissions,
    );
    assertEquals(await succeed(["convert", ...merge, "--drop-hgnn"], permissions), `${out}\n`);
    const model = join(folder, "model");
    await Deno.mkdir(model);
    await Deno.copyFile(WEIGHTS, join(model, "model.safetensors"));
    await succeed(["convert", model, "--merge", adapter, "--drop-hgnn", "--out", bin], permissions);
    const [before, after] = [await readSafetensors(WEIGHTS), await readSafetensors(out)];
    assertEquals([...after.tensors.keys()].sort(), [...before.tensors.keys()].sort());
    const changed = [...before.tensors].filter(([name, { data }]) => `${data}` !== `${after.tensors.get(name)!.data}`);
    assertEquals(changed.length > 0 && changed.every(([name]) => /attn|attention|logit_scale/.test(name)), true);
    assertEquals((await inspect(bin)).total, (await inspect(out)).total);
  });
});

Deno.test("convert refuses what does not fit and writes nothing", async () => {
  await inFolder(async (folder) => {
    const adapter = await writeMiniAdapter(join(folder, "a.safetensors"));
    const damaged = await writeDamagedWeights(join(folder, "nan.safetensors"), NaN);
    const csv = join(folder, "x.csv"), out = join(folder, "out");
    await Deno.writeTextFile(csv, "a,b\n1,2\n");
    const before = await snapshot(folder);
    const permissions = { read: [folder, WEIGHTS], write: [folder], env: [] };
    const refuse = (args: string[], ...patterns: (string | RegExp)[]) =>
      fail(["convert", ...args], patterns, permissions);
    await refuse([adapter, "--to", "bin", "--out", out], adapter, "it is an adapter");
    await refuse([WEIGHTS, "--to", "peft", "--out", out], WEIGHTS, "as an adapter");
    await refuse([damaged, "--to", "bin", "--out", out], damaged, "visual.head.proj.weight", "element 7 is NaN");
    await refuse([csv, "--to", "bin", "--out", out], csv, "must be a safetensors file or a PyTorch zip archive");
    await refuse([join(folder, "absent"), "--to", "bin", "--out", out], "absent", "there is none");
    await refuse([adapter, "--to", "ace", "--out", adapter], "--out must be another path");
    await refuse([adapter, "--to", "onnx", "--out", out], "--to must be one of ace, peft, authors");
    await refuse([adapter, "--to", "peft"], "--out PATH is required");
    await refuse([adapter, "--to", "peft", "--out", csv], csv, "it must be a folder");
    assertEquals(await snapshot(folder), before);
  });
});

Deno.test("tokenize gives one JSON array a line, and nothing else on stdout", async () => {
  const texts = ["No focal consolidation.", "", "Café  &amp; <b>pleural</b>", "x ".repeat(300)];
  const stdout = await succeed(["tokenize", "--tokenizer", VOCABULARY, "--context-length", "20"], {
    read: [VOCABULARY],
    env: [],
    stdin: `${texts.join("\n")}\n`,
  });
  const rows = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(rows.flat(), [...encode(await loadTokenizer(VOCABULARY), texts, { contextLength: 20 })]);
  assertEquals(rows.map((row) => row.length), [20, 20, 20, 20]);
});

Deno.test("tokenize answers a line before the next one comes", async () => {
  const child = command(["tokenize", "--tokenizer", VOCABULARY, "--no-pad"], { read: [VOCABULARY], env: [], stdin: "" })
    .spawn();
  const writer = child.stdin.getWriter();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  for (const text of ["pleural effusion", "pneumonia"]) {
    await writer.write(new TextEncoder().encode(`${text}\n`));
    const { value } = await reader.read();
    assertEquals(JSON.parse(value!).at(-1), 3, "ends with [SEP]");
  }
  await writer.close();
  assertEquals(await reader.read(), { done: true, value: undefined });
  await child.stderr.cancel();
  assertEquals((await child.status).code, 0);
});

Deno.test("tokenize refuses a file that is no tokeniser, naming it", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "tokenizer.json");
    const options = { read: [folder], env: [], stdin: "a\n" };
    await Deno.writeTextFile(path, '{"model": {"type": "BPE", "vocab": {}}}');
    await fail(["tokenize", "--tokenizer", path], [path, "WordPiece"], options);
    await fail(["tokenize", "--tokenizer", join(folder, "absent")], ["absent"], options);
    await fail(["tokenize"], ["--tokenizer FILE is required"], options);
    await fail(["tokenize", "--tokenizer", path, "--context-length", "1"], [
      "--context-length must be a number of at least 2",
    ], options);
  });
});

Deno.test("a float64 file keeps its type through convert", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "w.safetensors"), out = join(folder, "w.bin");
    await writeSafetensors(
      path,
      new Map([["w", { dtype: "F64", shape: [2], data: new Uint8Array(new Float64Array([1, 2]).buffer) }]]),
    );
    await succeed(["convert", path, "--to", "bin", "--out", out], { read: [folder], write: [folder], env: [] });
    const actual = await inspect(out);
    assertEquals(actual.tensors[0].dtype, "F64");
    assert(actual.bytes === 16);
  });
});

Deno.test("inspect reads a model's folder and a run's, and names the files of another", async () => {
  await inFolder(async (folder) => {
    const other = join(folder, "other");
    await Deno.mkdir(other);
    await fail(["inspect", other], ["it is empty"], { read: [folder] });
    await Deno.writeTextFile(join(other, "notes.md"), "x");
    await fail(["inspect", other], ["name one of its files: it holds notes.md"], { read: [folder] });
    const run = join(folder, "run");
    await Deno.mkdir(run);
    await writeMiniAdapter(join(run, "adapter.safetensors"));
    assertStringIncludes(
      await succeed(["inspect", run], { read: [folder] }),
      "LoRA in text layers 0-3, image layers 0-3",
    );
    const model = join(folder, "model");
    await Deno.mkdir(model);
    await Deno.copyFile(MINI_FILES[0]!, join(model, "open_clip_model.safetensors"));
    const text = await succeed(["inspect", model], { read: [folder] });
    assertStringIncludes(text, `weights: ${join(model, "open_clip_model.safetensors")}`);
  });
});
