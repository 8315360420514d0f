/** retrieve, end to end: figures of pairs, searches by sentence and image, one line for bad input. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { parseCommandLine } from "../../lib/cli/command_line.ts";
import { COMMAND } from "../../lib/cli/retrieve.ts";
import { inFolder } from "../folder.ts";
import { writePairs, writeRadiographs } from "./fixtures.ts";
import { fail, MINI_FILES, run, succeed } from "./run.ts";

Deno.test("retrieve --pairs gives both directions, joins the texts of a study, and encodes once", async () => {
  await inFolder(async (folder) => {
    const csv = await writePairs(folder, 4);
    const rows = (await Deno.readTextFile(csv)).trimEnd().split("\n");
    await Deno.writeTextFile(csv, rows.map((row, i) => `${row},${["study", "a", "a", "", ""][i]}`).join("\n"));
    const out = join(folder, "out");
    const options = { read: [folder, ...MINI_FILES], write: [out] };
    const args = ["retrieve", "--pairs", csv, "--study-column", "study", "--out", out];
    const record = JSON.parse(await succeed([...args, "--json"], options));
    assertEquals([record.pairs, record.studies, record.imageToText.queries], [4, 3, 4]);
    assertEquals(record, JSON.parse(await Deno.readTextFile(join(out, "retrieval.json"))));
    assertEquals((await Deno.stat(join(out, "retrieval.json"))).mode! & 0o777, 0o600);
    assert(record.model.notice.includes("only drawings"));
    assert(record.backend === "wasm" && record.adapter.startsWith("tf.js, "), record.adapter);
    await fail(args, [`"${out}" holds an earlier result`, "--overwrite"], options);
    const again = await run([...args, "--overwrite"], options);
    assertMatch(again.stdout, /image to text[^]*text to image[^]*in random order/);
    assertMatch(again.stdout, /4 pairs of 3 studies/);
  });
});

Deno.test("retrieve refuses an image to search by that cannot be read before the folder is encoded, and tells its model once", async () => {
  await inFolder(async (folder) => {
    const [films, out, query] = ["films", "out", "query.png"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await writeRadiographs(films, 3);
    const bytes = await Deno.readFile(join(films, "1.png"));
    await Deno.writeFile(query, bytes.subarray(0, bytes.length >> 1));
    const options = { read: [folder, ...MINI_FILES], write: [out] };
    const args = ["retrieve", "--images", films, "--out", out];
    const { code, stderr } = await run([...args, "--query-image", query], options);
    assertEquals(code, 1);
    assertMatch(stderr, /error: Cannot read ".*query\.png" as PNG/);
    assert(!stderr.includes("--unreadable") && !stderr.includes("backend:"), stderr);
    const told = await run([...args, "--query", "pneumonia"], options);
    assertEquals(told.stderr.split("only drawings").length - 1, 1, told.stderr);
  });
});

Deno.test("retrieve finds an image by itself first, and writes a private page that says what the model is", async () => {
  await inFolder(async (folder) => {
    await writeRadiographs(join(folder, "films"), 3);
    const out = join(folder, "out");
    const options = { read: [folder, ...MINI_FILES], write: [out] };
    const args = ["retrieve", "--images", join(folder, "films"), "--out", out, "--json"];
    const actual = JSON.parse(await succeed([...args, "--query-image", join(folder, "films/1.png")], options));
    assertEquals([actual.hits.length, actual.hits[0].image, actual.of], [3, "1.png", 3]);
    assert(Math.abs(actual.hits[0].score - 1) < 1e-6);
    const asked = JSON.parse(await succeed([...args, "--overwrite", "--query", "<b>pneumonia", "--top", "2"], options));
    assertEquals([asked.hits.length, asked.query], [2, "<b>pneumonia"]);
    const page = await Deno.readTextFile(join(out, "retrieval.html"));
    assert(page.includes("&lt;b&gt;pneumonia") && !page.includes("<b>pneumonia") && page.includes("only drawings"));
    assertEquals((await Deno.stat(join(out, "retrieval.html"))).mode! & 0o777, 0o600);
  });
});

Deno.test("retrieve reads the image it searches by once", async () => {
  await inFolder(async (folder) => {
    await writeRadiographs(join(folder, "films"), 2);
    const [query] = await writeRadiographs(join(folder, "asked"), 1, 2);
    const args = ["--images", join(folder, "films"), "--query-image", query!, "--out", join(folder, "out")];
    const { log, error } = console;
    const { readFile } = Deno;
    let reads = 0;
    console.log = console.error = () => {};
    Deno.readFile = (path, options) => {
      if (path === query) reads++;
      return readFile(path, options);
    };
    try {
      await COMMAND.run(parseCommandLine(COMMAND, [...args, "--backend", "wasm"]));
    } finally {
      Object.assign(console, { log, error });
      Deno.readFile = readFile;
    }
    assertEquals(reads, 1);
    assert((await Deno.readTextFile(join(folder, "out", "retrieval.html"))).includes("Images nearest to"));
  });
});

Deno.test("retrieve says in one line what is missing", async () => {
  await inFolder(async (folder) => {
    const options = { read: [folder, ...MINI_FILES], write: [folder] };
    const csv = await writePairs(folder, 2);
    await fail(["retrieve", "--images", folder], ["--pairs", "--query"], options);
    await fail(["retrieve", "--query", "x", "--out", folder], ["--images PATH is required"], options);
    await fail(["retrieve", "--pairs", csv, "--text-column", "note", "--out", folder], ['"note"'], options);
  });
});
