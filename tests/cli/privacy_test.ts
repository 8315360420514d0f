/** docs/privacy.md against what the commands write: every file stands in its table, with its mode; pages name no folder that was not typed, and say what the shipped model has seen. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { decodePng, encodePng } from "../../lib/image/png.ts";
import { inFolder } from "../folder.ts";
import { writeMiniAdapter, writePairs } from "./fixtures.ts";
import { MINI_FILES, PACKAGE, succeed } from "./run.ts";

const COUNT = 8;

/** `films/`: images with notes, classes, patients, masks and boxes. */
async function writeFilms(folder: string): Promise<void> {
  const csv = await writePairs(folder, COUNT);
  const [header, ...rows] = (await Deno.readTextFile(csv)).trimEnd().split("\n");
  const more = rows.map((row, i) =>
    `${row},${["normal", "pneumonia"][i % 2]},p${i},mask${i}.png,${i < COUNT - 2 ? "train" : "test"}`
  );
  await Deno.writeTextFile(csv, [`${header},class,patient,mask,split`, ...more, ""].join("\n"));
  const boxes = rows.map((_, i) => `${i}.png,Mass,10,10,40,40`);
  await Deno.writeTextFile(join(folder, "boxes.csv"), ["path,label,x,y,w,h", ...boxes, ""].join("\n"));
  for (let i = 0; i < COUNT; i++) {
    const image = decodePng(await Deno.readFile(join(folder, `${i}.png`)), `${i}.png`);
    const data = Uint8Array.from(image.data, (value) => value > 128 ? 255 : 0);
    await Deno.writeFile(join(folder, `mask${i}.png`), encodePng({ ...image, data, bitDepth: 8 }));
  }
}

const PAIRS = ["--pairs", "films/pairs.csv"];
const IMAGES = ["--images", "films/pairs.csv", "--class-column", "class", "--patient-column", "patient"];
const MASKS = ["--dataset", "films/pairs.csv", "--patient-column", "patient", "--mask-column", "mask"];
const BOXES = ["--dataset", "films/pairs.csv", "--patient-column", "patient", "--boxes", "films/boxes.csv"];
const SHORT = ["--epochs", "1", "--batch-size", "2", "--width", "8"];

/** Every command that writes, on paths as a user types them. */
const LINES: readonly (readonly string[])[] = [
  ["train", ...PAIRS, "--loss", "info-nce", "--epochs", "1", "--batch-size", "4", "--rank", "1", "--out", "out/train"],
  ["evaluate", ...IMAGES, "--by", "split", "--out", "out/evaluate"],
  ["evaluate", "--compare", "out/evaluate/predictions.csv", "out/evaluate/predictions.csv", "--out", "out/compare"],
  ["classify", "films/0.png", "--labels", "normal,pneumonia", "--explain", "out/classify.html"],
  ["encode", "--images", "films/pairs.csv", "--out", "out/features.safetensors", "--shard", "1/2"],
  [
    "probe",
    ...IMAGES,
    "--split-column",
    "split",
    "--methods",
    "knn",
    "--shots",
    "1",
    "--seeds",
    "1",
    "--out",
    "out/probe",
  ],
  ["cache", "--images", "films/pairs.csv", "--cache", "out/pixels"],
  ["explain", "--images", "films/pairs.csv", "--boxes", "films/boxes.csv", "--labels", "Mass,Cyst", "--curves", "1"]
    .concat("--maps", "similarity", "--out", "out/explain"),
  ["retrieve", ...PAIRS, "--out", "out/retrieve"],
  ["retrieve", "--images", "films", "--query", "pneumonia", "--out", "out/search"],
  ["segment", "train", ...MASKS, ...SHORT, "--out", "out/segment"],
  ["segment", "evaluate", ...MASKS, "--out", "out/segment"],
  ["segment", "predict", "--images", "films", "--head", "out/segment/head.safetensors", "--out", "out/masks"],
  ["detect", "train", ...BOXES, ...SHORT, "--out", "out/detect"],
  ["detect", "evaluate", ...BOXES, "--out", "out/detect"],
  ["detect", "predict", "--images", "films", "--head", "out/detect/head.safetensors", "--out", "out/boxes"],
  ["convert", "adapter.safetensors", "--to", "peft", "--out", "out/peft"],
  [
    "convert",
    "mini.safetensors",
    "--merge",
    "adapter.safetensors",
    "--drop-hgnn",
    "--to",
    "bin",
    "--out",
    "out/merged.bin",
  ],
  ["export", "--onnx", "out/onnx", "--card", "out/README.md"],
  ["report", "--in", "out", "--out", "out/report.html"],
];

/** What of the table the files are, by the beginning of its row. */
const ROWS: Readonly<Record<string, RegExp>> = {
  "the page of `--explain`": /^classify\.html$/,
  "`overlays.html`": /\/overlays\.html$/,
  "`masks/*.png`": /\/masks\/[^/]+\.png$|\/submission\.csv$|\/boxes\.csv$/,
  "`predictions.csv`": /^evaluate\/predictions\.csv$/,
  "`evaluation.html`": /^evaluate\/evaluation\.html$/,
  "`comparison.json`": /^compare\/comparison\.(json|html)$/,
  "`metrics.json`": /\/metrics\.json$/,
  "features (": /^features\.|^(probe|retrieve|search)\/(images|pairs)\.safetensors$/,
  "maps of the frozen encoder": /\/maps\/\w+\/\d+\.safetensors$/,
  "pixel cache": /^pixels\/.*\.(npy|json)$/,
  "`state.safetensors`": /^train\/state\.safetensors$/,
  "`training.json`": /\/training\.json$/,
  "`log.jsonl`": /^train\/(log\.jsonl|training\.html|tensorboard\/.*)$/,
  "adapters, heads": /^train\/(adapter|best)\.safetensors$|\/head\.safetensors$|^peft\/\w+\.safetensors$/,
  "`probe.json`": /^probe\/probe\.(json|html)$/,
  "`explain.json`": /^explain\/explain\.(json|html)$/,
  "`retrieval.json`": /\/retrieval\.(json|html)$/,
  "page, tables, `--keep`": /^report\.(html|md)$/,
  "`adapter_config.json`": /\/(adapter|best)_config\.json$/,
  "merged weights": /^merged\.bin$|^onnx\/|^README\.md$/,
};
/** Rows about what takes long to make, and is tested where it is made. */
const MADE_ELSEWHERE = ["`events.out.tfevents.*`", "records of `reproduce`", "results on synthetic sets"];

/** The table of docs/privacy.md: first cell and mode. */
async function documented(): Promise<Map<string, string>> {
  const text = await Deno.readTextFile(join(PACKAGE, "docs", "privacy.md"));
  const rows = text.split("\n").filter((line) => line.startsWith("|")).map((line) =>
    line.split("|").map((cell) => cell.trim())
  );
  return new Map(rows.slice(2).map((cells) => [cells[1]!, cells.at(-2)!]));
}

async function modeOf(path: string): Promise<number> {
  return (await Deno.stat(path)).mode! & 0o777;
}

/** Every file below a folder, by its path from there. */
async function* filesBelow(folder: string, from = ""): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(join(folder, from))) {
    if (isDirectory) yield* filesBelow(folder, `${from}${name}/`);
    else yield `${from}${name}`;
  }
}

Deno.test({
  name:
    "docs/privacy.md has every file that the commands write, with its mode; no page names a folder that was not typed; each says what the model has seen",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inFolder(async (folder) => {
      await writeFilms(join(folder, "films"));
      await Deno.mkdir(join(folder, "out"));
      await writeMiniAdapter(join(folder, "adapter.safetensors"));
      await Deno.copyFile(MINI_FILES[0]!, join(folder, "mini.safetensors"));
      const options = { read: [...MINI_FILES, folder], write: [join(folder, "out")], cwd: folder };
      for (const line of LINES) await succeed(line, options);
      const table = await documented();
      await Deno.writeTextFile(join(folder, "by-umask"), "");
      const modes = { "owner only": 0o600, "umask": await modeOf(join(folder, "by-umask")) };
      const met = new Set<string>();
      for await (const path of filesBelow(join(folder, "out"))) {
        const rows = Object.keys(ROWS).filter((begins) => ROWS[begins]!.test(path));
        assertEquals(rows.length, 1, `"${path}" is one row of the table: ${rows.join(", ")}`);
        const cell = [...table.keys()].find((cell) => cell.startsWith(rows[0]!));
        assert(cell !== undefined, `the table has "${rows[0]}"`);
        assertEquals(await modeOf(join(folder, "out", path)), modes[table.get(cell) as keyof typeof modes], path);
        met.add(cell);
        if (!/\.(html|md|csv|jsonl?)$/.test(path)) continue;
        const text = await Deno.readTextFile(join(folder, "out", path));
        if (/\.html$|\/(metrics|training|comparison|probe|explain|retrieval)\.json$/.test(path)) {
          assert(text.includes("only drawings"), `"${path}" says what the model has seen`);
        }
        for (const absolute of [folder, PACKAGE]) assert(!text.includes(absolute), `"${path}" names "${absolute}"`);
      }
      const unmet = [...table.keys()].filter((cell) => !met.has(cell));
      assertEquals(unmet.map((cell) => MADE_ELSEWHERE.find((begins) => cell.startsWith(begins))), MADE_ELSEWHERE);
    });
  },
});
