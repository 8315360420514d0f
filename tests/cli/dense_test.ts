import { assert, assertEquals, assertRejects } from "@std/assert";
import { join, relative } from "@std/path";
import { advice } from "../../lib/cli/advice.ts";
import { parseCommandLine } from "../../lib/cli/command_line.ts";
import { COMMAND as DETECT } from "../../lib/cli/detect.ts";
import { COMMAND as SEGMENT } from "../../lib/cli/segment.ts";
import { readMask } from "../../lib/data/boxes.ts";
import { fingerprints } from "../../lib/data/seen.ts";
import { readCsv } from "../../lib/data/csv.ts";
import { decodeRle } from "../../lib/data/rle.ts";
import { BIOMED_CLIP_LAYOUT } from "../../lib/clip/checkpoint/layout.ts";
import { toClipTensors } from "../../lib/clip/checkpoint/tensors.ts";
import { MINI } from "../../lib/clip/architectures.ts";
import { initClip } from "../../lib/clip/params.ts";
import { checkDenseRecord, checkTrainingRecord } from "../../lib/display/records.ts";
import { METRICS_SCHEMA } from "../../lib/display/results.ts";
import { encodePng } from "../../lib/image/png.ts";
import { readSafetensors, writeSafetensors } from "../../lib/io/safetensors.ts";
import { elementCount, float32Tensor } from "../../lib/io/tensors.ts";
import { boxesCsv, rsnaSubmission } from "../../lib/dense/detect/submission.ts";
import { fileNames, siimRow, siimSubmission } from "../../lib/dense/segment/submission.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import { writeAdapter } from "../../lib/adapters/files.ts";
import { miniAdapter } from "./fixtures.ts";
import { MINI_FILES, succeed } from "./run.ts";
import { inFolder } from "../folder.ts";

await selectBackend({ backend: "wasm" });

/** A folder with 14 images of 60 x 40, a bright rectangle each: its mask, its box, and a model of random weights. */
async function makeFolder(): Promise<string> {
  const root = await Deno.makeTempDir();
  const rng = mulberry32(5);
  const images = ["file,patient,mask,name"], boxes = ["name,label,left,top,w,h"];
  await Deno.mkdir(join(root, "i"));
  for (let i = 0; i < 14; i++) {
    const [x, y] = [Math.floor(rng() * 30), Math.floor(rng() * 20)];
    const within = (p: number): boolean => p % 60 >= x && p % 60 < x + 25 && p / 60 >= y && p / 60 < y + 15;
    const mask = Uint8Array.from({ length: 2400 }, (_, p) => i % 5 > 0 && within(p) ? 255 : 0);
    const data = mask.map((value) => value ? 200 : 30 + 10 * rng());
    await Deno.writeFile(
      join(root, "i", `x${i}.png`),
      encodePng({ width: 60, height: 40, channels: 1, bitDepth: 8, data }),
    );
    await Deno.writeFile(
      join(root, `m${i}.png`),
      encodePng({ width: 60, height: 40, channels: 1, bitDepth: 8, data: mask }),
    );
    images.push(`i/x${i}.png,p${i >> 1},m${i}.png,n${i}`);
    if (i % 5 > 0) boxes.push(`n${i},Mass,${x},${y},25,15`);
  }
  await Deno.writeTextFile(join(root, "images.csv"), images.join("\n") + "\n");
  await Deno.writeTextFile(join(root, "boxes.csv"), boxes.join("\n") + "\n");
  for (const seed of [1, 2]) {
    const params = initClip(MINI, seed);
    const checkpoint = [...await toClipTensors(params, BIOMED_CLIP_LAYOUT)];
    disposeParams(params);
    await writeSafetensors(
      join(root, `model${seed}.safetensors`),
      new Map(checkpoint.map(([name, { shape, values }]) => [name, float32Tensor(shape, values)])),
    );
  }
  return root;
}

async function run(command: typeof SEGMENT, line: readonly string[], errors: string[] = []): Promise<string> {
  const lines: string[] = [];
  const { log, error } = console;
  console.log = (text: string) => lines.push(text);
  console.error = (text: string) => errors.push(text);
  try {
    await command.run(parseCommandLine(command, [...line, "--backend", "wasm"]));
  } finally {
    Object.assign(console, { log, error });
  }
  return lines.join("\n");
}

const ROOT = await makeFolder();
const MODEL = ["--weights", join(ROOT, "model1.safetensors")];
const CSV = ["--dataset", join(ROOT, "images.csv"), "--image-column", "file", "--patient-column", "patient"];
const SHORT = ["--epochs", "2", "--batch-size", "4", "--width", "16"];

Deno.test("segment train, evaluate and predict write a head, figures with split hashes, masks that agree as PNG and RLE, pictures", async () => {
  const out = join(ROOT, "seg");
  const data = [...CSV, "--mask-column", "mask", ...MODEL, "--out", out];
  assert((await run(SEGMENT, ["train", ...data, ...SHORT])).includes("validation Dice"));
  const training = JSON.parse(await Deno.readTextFile(join(out, "training.json")));
  assertEquals([training.history.length, training.settings.seed, training.fraction], [2, 1, 1]);
  assert((await run(SEGMENT, ["evaluate", ...data])).includes("constant mask"));
  const metrics = JSON.parse(await Deno.readTextFile(join(out, "metrics.json")));
  assertEquals(checkDenseRecord(metrics, out).schema, METRICS_SCHEMA);
  assertEquals(checkTrainingRecord(training, out), training);
  const { train, validation, test } = metrics.data.splits;
  assertEquals(train.size + validation.size + test.size, 14);
  assert([train, validation, test].every(({ hash }) => /^[0-9a-f]{64}$/.test(hash)));
  assertEquals(metrics.data.splits, training.data.splits);
  assertEquals(metrics.figures.n, test.size);
  assertEquals(metrics.model.weights, MODEL[1]);
  assert(/^[0-9a-f]{64}$/.test(metrics.model.weights_sha256));
  const page = await Deno.readTextFile(join(out, "overlays.html"));
  assertEquals(page.split('<svg class="overlay"').length - 1, test.size);
  const answer = await run(SEGMENT, [
    "predict",
    "--images",
    join(ROOT, "i"),
    ...MODEL,
    "--head",
    join(out, "head.safetensors"),
    "--out",
    join(out, "p"),
  ]);
  assert(answer.includes("14 masks"));
  const alone = ["--head", join(out, "head.safetensors"), "--decode-workers", "0", "--out", join(out, "alone")];
  await run(SEGMENT, ["predict", "--images", join(ROOT, "i"), ...MODEL, ...alone]);
  for (const name of ["submission.csv", "overlays.html"]) {
    const [workers, none] = [
      await Deno.readTextFile(join(out, "p", name)),
      await Deno.readTextFile(join(out, "alone", name)),
    ];
    assertEquals(none.replaceAll(join(out, "alone"), ""), workers.replaceAll(join(out, "p"), ""), name);
  }
  const table = await readCsv(join(out, "p", "submission.csv"));
  assertEquals([table.columns.join(), table.rows.length], ["ImageId,EncodedPixels", 14]);
  // The predicted masks as a folder of truth: their names are the images', so the same head finds every one of them.
  const folder = [...CSV, "--masks", join(out, "p", "masks"), ...MODEL, "--out", out];
  await assertRejects(() => run(SEGMENT, ["evaluate", ...folder]), Error, "--overwrite");
  await run(SEGMENT, ["evaluate", ...folder, "--overwrite"]);
  const own = JSON.parse(await Deno.readTextFile(join(out, "metrics.json")));
  assert(own.figures.dice > 0.6 && own.figures.n === test.size, `Dice with its own masks ${own.figures.dice}`);
  for (const [id, runs] of table.rows) {
    const png = await readMask(join(out, "p", "masks", `${id}.png`));
    assertEquals(decodeRle(runs!, { width: 60, height: 40 }), png);
  }
});

Deno.test("detect train, evaluate and predict write a head, figures, boxes in pixels and RSNA's form", async () => {
  const out = join(ROOT, "det");
  const boxes = ["--boxes", "boxes.csv", "--boxes-key", "name", "--boxes-columns", "left,top,w,h"];
  const data = [...CSV, ...boxes, ...MODEL, "--out", out];
  assert((await run(DETECT, ["train", ...data, ...SHORT])).includes("validation mAP"));
  assert((await run(DETECT, ["evaluate", ...data])).includes("constant box"));
  const metrics = JSON.parse(await Deno.readTextFile(join(out, "metrics.json")));
  assertEquals(checkDenseRecord(metrics, out).schema, METRICS_SCHEMA);
  assertEquals(metrics.figures.n, metrics.data.splits.test.size);
  assert(metrics.baselines.constantBox.mapStrict >= 0);
  const options = [...MODEL, "--head", join(out, "head.safetensors"), "--out", join(out, "p"), "--confidence", "0"];
  await run(DETECT, ["predict", "--images", join(ROOT, "i"), ...options]);
  const table = await readCsv(join(out, "p", "submission.csv"));
  assertEquals([table.columns.join(), table.rows.length], ["patientId,PredictionString", 14]);
  const rows = (await readCsv(join(out, "p", "boxes.csv"))).rows;
  for (const [, label, score, ...box] of rows) {
    const [x, y, width, height] = box.map(Number) as [number, number, number, number];
    assertEquals(label, "Mass");
    assert(Number(score) >= 0 && x >= 0 && y >= 0 && x + width <= 60.2 && y + height <= 40.2);
  }
  const strings = table.rows.map(([, text]) => text === "" ? 0 : text!.split(" ").length / 5);
  assertEquals(strings.reduce((a, b) => a + b, 0), rows.length);
});

Deno.test("segment and detect refuse wrong arguments, data without labels, foreign heads and seen cases in one line", async () => {
  const fails = async (command: typeof SEGMENT, line: string[], words: string, remedy?: string): Promise<void> => {
    const error = await assertRejects(() => run(command, [...line, ...MODEL, "--out", join(ROOT, "bad")])) as Error;
    assert(error.message.includes(words), error.message);
    assert(!error.message.includes("\n"), error.message);
    if (remedy !== undefined) assertEquals(await advice(error, parseCommandLine(command, line)), remedy);
  };
  await fails(SEGMENT, ["teach"], 'type segment train, evaluate or predict: current value is "teach"');
  await fails(SEGMENT, ["train", "--dataset", "rsna"], 'Cannot segment on "rsna" as it must have masks: it has none');
  await fails(DETECT, ["train", "--dataset", "rsna"], 'Cannot use "rsna" as its folder must be given');
  await fails(SEGMENT, ["train", ...CSV], "as the column or the folder of masks must be given");
  await fails(DETECT, ["train", ...CSV], "as the CSV of boxes must be given");
  await fails(
    DETECT,
    ["train", ...CSV, "--boxes", "boxes.csv", "--boxes-columns", "x,y"],
    "--boxes-columns must name four columns, left,top,width,height: current",
  );
  const head = join(ROOT, "seg", "head.safetensors");
  await fails(
    DETECT,
    ["predict", "--images", join(ROOT, "i"), "--head", head],
    "must be a head to detect: it is one to segment",
  );
  await fails(
    DETECT,
    ["train", ...CSV, "--boxes", "boxes.csv"],
    'must have a column "path": its columns are "name", "label", "left", "top", "w", "h"',
    "--boxes-image names the column of the image",
  );
  await fails(
    SEGMENT,
    ["train", ...CSV, "--masks", "nowhere"],
    'Cannot read "nowhere" as it must be a file or a folder',
  );
  await fails(SEGMENT, ["train", ...CSV, "--mask-column", "m", "--held-out", "0.2"], "Unknown option '--held-out'");
  await fails(
    SEGMENT,
    ["predict", "--images", join(ROOT, "i")],
    'bad/head.safetensors" as a head as it must be a file',
  );
  await fails(
    SEGMENT,
    ["predict", "--images", join(ROOT, "none"), "--head", head],
    "must be a file or a folder: there is none",
  );
  const masks = [...CSV, "--mask-column", "mask", "--head", head];
  await fails(
    SEGMENT,
    ["evaluate", ...masks, "--split-seed", "7"],
    "its training must not have seen the test cases",
    "give the --split-seed it was trained with",
  );
  const partly = join(ROOT, "partly.csv");
  const table = await Deno.readTextFile(join(ROOT, "images.csv"));
  await Deno.writeTextFile(partly, table.replace(/m3\.png/, ""));
  await fails(
    SEGMENT,
    ["train", "--dataset", partly, ...CSV.slice(2), "--mask-column", "mask"],
    'as every case must have a mask: 1 of 14 have none, "i/x3.png" is the first',
    "--skip-unlabelled leaves out those without",
  );
  await fails(
    DETECT,
    ["train", ...CSV, "--boxes", "boxes.csv", "--boxes-key", "name"],
    'must have a column "x"',
    "--boxes-columns names the four of left, top, width and height",
  );
  const other = ["--weights", join(ROOT, "model2.safetensors"), "--out", join(ROOT, "bad")];
  const error = await assertRejects(() => run(SEGMENT, ["evaluate", ...masks, ...other]), TypeError) as Error;
  assert(error.message.includes("the encoder it was trained on"));
  assertEquals(
    await advice(error, parseCommandLine(SEGMENT, ["evaluate", ...masks])),
    "give the same --weights and --adapter",
  );
});

Deno.test("segment evaluates on another set, whose test cases a column names, without a constant answer", async () => {
  const rows = (await Deno.readTextFile(join(ROOT, "images.csv"))).trim().split("\n").map((row) => row.split(","));
  const other = rows.map(([file, , mask], i) => i === 0 ? "file,mask,part" : `${join(ROOT, file!)},${mask},test`);
  await Deno.writeTextFile(join(ROOT, "other.csv"), other.join("\n") + "\n");
  const out = join(ROOT, "other"), errors: string[] = [];
  const data = ["--dataset", join(ROOT, "other.csv"), "--image-column", "file", "--mask-column", "mask"];
  const options = [...MODEL, "--split-column", "part", "--head", join(ROOT, "seg", "head.safetensors"), "--out", out];
  const shown = await run(SEGMENT, ["evaluate", ...data, ...options], errors);
  assert(!shown.includes("constant mask"), shown);
  assert(errors.some((line) => line.includes("the constant mask is left out")), errors.join("\n"));
  const metrics = JSON.parse(await Deno.readTextFile(join(out, "metrics.json")));
  assertEquals([metrics.figures.n, metrics.baselines], [14, {}]);
  const page = await Deno.readTextFile(join(out, "overlays.html"));
  assertEquals(page.match(/x\d+\.png: Dice \d\.\d\d<\/figcaption>/g)?.length, 14);
});

Deno.test("the examples for a CSV work as they are written, in a row", async () => {
  await inFolder(async (folder) => {
    const rename = (text: string, columns: string): string => text.replace(/^.*$/m, columns);
    const write = async (name: string, from: string, columns: string): Promise<void> =>
      await Deno.writeTextFile(join(folder, name), rename(await Deno.readTextFile(join(ROOT, from)), columns));
    await write("films.csv", "images.csv", "path,patient,lung_mask,file");
    await write("boxes.csv", "boxes.csv", "file,label,x,y,w,h");
    for (const name of ["i", "new_films"]) {
      await Deno.mkdir(join(folder, name));
      for (let i = 0; i < 14; i++) await Deno.copyFile(join(ROOT, "i", `x${i}.png`), join(folder, name, `x${i}.png`));
    }
    for (let i = 0; i < 14; i++) await Deno.copyFile(join(ROOT, `m${i}.png`), join(folder, `m${i}.png`));
    // A process of its own, as a folder is the whole process's and other tests run in this one.
    const options = { cwd: folder, read: [...MINI_FILES, folder], write: [folder] };
    for (const command of [SEGMENT, DETECT]) {
      const lines = command.example.split("\n").map((line) => line.trim()).filter((line) => !line.includes("--root"));
      assertEquals(lines.map((line) => line.split(" ")[3]), ["train", "evaluate", "predict"]);
      for (const line of lines) {
        const [, , name, ...words] = line.split(" ");
        assertEquals(name, command.name);
        const args = [...words, ...words[0] === "train" ? ["--epochs", "1"] : []];
        assert((await succeed([name!, ...args], options)) !== "", line);
      }
    }
    assertEquals((await readCsv(join(folder, "results/new_boxes/boxes.csv"))).columns[0], "image");
    assert((await Deno.stat(join(folder, "results/new_masks/masks/x3.png"))).isFile);
  });
});

Deno.test("segment names the case whose mask has another size, detect the one whose box lies outside", async () => {
  const small = { width: 4, height: 4, channels: 1 as const, bitDepth: 8 as const, data: new Uint8Array(16) };
  await Deno.writeFile(join(ROOT, "small.png"), encodePng(small));
  const table = (await Deno.readTextFile(join(ROOT, "images.csv"))).replaceAll(/m\d+\.png/g, "small.png");
  await Deno.writeTextFile(join(ROOT, "small.csv"), table);
  const line = (
    name: string,
  ): string[] => [
    "--dataset",
    join(ROOT, name),
    ...CSV.slice(2),
    ...MODEL,
    "--no-cache",
    "--out",
    join(ROOT, "bad"),
    ...SHORT,
  ];
  const mask = await assertRejects(
    () => run(SEGMENT, ["train", ...line("small.csv"), "--mask-column", "mask"]),
    TypeError,
  ) as Error;
  assert(
    /Cannot use case "i\/x\d+\.png" as its mask must be as large as its image, 60 x 40: it is 4 x 4/.test(mask.message),
    mask.message,
  );
  const boxes = (await Deno.readTextFile(join(ROOT, "boxes.csv"))).replaceAll(",25,15", ",250,15");
  await Deno.writeTextFile(join(ROOT, "wide.csv"), boxes);
  const options = ["--boxes", "wide.csv", "--boxes-key", "name", "--boxes-columns", "left,top,w,h"];
  const box = await assertRejects(() => run(DETECT, ["train", ...line("images.csv"), ...options]), RangeError) as Error;
  assert(
    /Cannot use case "i\/x\d+\.png" as its boxes must lie within 60 x 40 pixels: one is x/.test(box.message),
    box.message,
  );
});

/** The model with NaN among its weights: what is told before that was known before they were read. */
async function brokenWeights(): Promise<string> {
  const path = join(ROOT, "nan.safetensors");
  const { tensors } = await readSafetensors(join(ROOT, "model1.safetensors"));
  const broken = new Map(
    [...tensors].map((
      [name, { shape }],
    ) => [name, float32Tensor(shape, new Float32Array(elementCount(shape)).fill(NaN))]),
  );
  await writeSafetensors(path, broken);
  return path;
}

Deno.test("segment and detect tell what is wrong with tables, masks, boxes, heads, adapters and images before they read the model's weights", async () => {
  const model = ["--weights", await brokenWeights(), "--out", join(ROOT, "bad")];
  const write = async (name: string, from: string, change: (text: string) => string): Promise<string> => {
    await Deno.writeTextFile(join(ROOT, name), change(await Deno.readTextFile(join(ROOT, from))));
    return join(ROOT, name);
  };
  const words = await write("words.png", "images.csv", () => "no picture");
  const absent = await write("absent.csv", "images.csv", (text) => text.replace("m3.png", "none.png"));
  const spoilt = await write("spoilt.csv", "images.csv", (text) => text.replace("m3.png", "words.png"));
  const foreign = await write("foreign.csv", "boxes.csv", (text) => text.replaceAll("Mass", "Cyst"));
  const wrong = await write("wrong.csv", "boxes.csv", (text) => text.replace(",25,15", ",25,-15"));
  const outside = await write("outside.csv", "boxes.csv", (text) => text.replaceAll(",25,15", ",250,15"));
  const tiny = { width: 4, height: 4, channels: 1 as const, bitDepth: 8 as const, data: new Uint8Array(16) };
  await Deno.writeFile(join(ROOT, "tiny.png"), encodePng(tiny));
  const other = await write("other.csv", "images.csv", (text) => text.replace("m3.png", "tiny.png"));
  const siim = async (name: string, runs: string): Promise<string[]> => {
    const root = join(ROOT, name);
    await Deno.mkdir(join(root, "dicom-images-train"), { recursive: true });
    for (let i = 0; i < 12; i++) {
      await Deno.copyFile(join(ROOT, "i", `x${i}.png`), join(root, "dicom-images-train", `x${i}.png`));
    }
    const rows = Array.from({ length: 12 }, (_, i) => `x${i},${runs}`);
    await Deno.writeTextFile(join(root, "train-rle.csv"), ["ImageId,EncodedPixels", ...rows].join("\n"));
    return ["train", "--dataset", "siim", "--root", root];
  };
  const typed = relative(Deno.cwd(), wrong);
  const masks = ["--mask-column", "mask"], columns = CSV.slice(2);
  const boxes = ["--boxes-key", "name", "--boxes-columns", "left,top,w,h"];
  const trained = join(ROOT, "trained.safetensors");
  const ids = Array.from({ length: 14 }, (_, i) => ({ id: `i/x${i}.png` }));
  await writeAdapter(trained, { ...miniAdapter(), seen: [...fingerprints(ids)] }, { format: "ace" });
  await Deno.mkdir(join(ROOT, "again"), { recursive: true }); // other films of the same patients
  for (let i = 0; i < 14; i++) await Deno.copyFile(join(ROOT, `i/x${i}.png`), join(ROOT, `again/x${i}.png`));
  const again = await write(
    "again.csv",
    "images.csv",
    (text) => text.replaceAll(/^i\/(.*)$/gm, "again/$1,test").replace(/^file.*/, "$&,part"),
  );
  const [segmenter, detector] = ["seg", "det"].map((name) => ["--head", join(ROOT, name, "head.safetensors")]);
  for (
    const [command, line, message] of [
      [SEGMENT, ["train", ...CSV, ...masks], "NaN"],
      [SEGMENT, ["train", ...CSV, "--mask-column", "lung"], 'must have a column "lung"'],
      [SEGMENT, ["train", "--dataset", absent, ...columns, ...masks], "row 5 as its mask must exist"],
      [SEGMENT, ["train", "--dataset", spoilt, ...columns, ...masks], 'Cannot use the mask of case "i/x3.png"'],
      [
        SEGMENT,
        ["train", "--dataset", other, ...columns, ...masks],
        'case "i/x3.png" as its mask must be as large as its image, 60 x 40: it is 4 x 4',
      ],
      [SEGMENT, await siim("long", "9 1048570"), "runs must end within 1024 x 1024 pixels: one ends at 1048579"],
      [SEGMENT, await siim("odd", "9 1 2"), 'odd/train-rle.csv" row'],
      [SEGMENT, await siim("sides", "9 1"), "its mask must be as large as its image, 60 x 40: it is 1024 x 1024"],
      [SEGMENT, ["train", ...CSV, ...masks, "--adapter", words], `Cannot read "${words}"`],
      [
        SEGMENT,
        ["evaluate", ...CSV, ...masks, ...segmenter!, "--split-seed", "7"],
        "must not have seen the test cases",
      ],
      [
        SEGMENT,
        ["evaluate", ...CSV, ...masks, ...segmenter!, "--adapter", trained],
        `"${trained}" as its training must not have seen the test cases`,
      ],
      [
        SEGMENT,
        ["evaluate", "--dataset", again, ...columns, ...masks, "--split-column", "part", ...segmenter!],
        "its training must not have seen the test cases: it has seen 10 of 14",
      ],
      [
        SEGMENT,
        ["predict", "--images", join(ROOT, "images.csv"), ...segmenter!],
        `it is a table; name ${JSON.stringify(ROOT)} if its images lie there`,
      ],
      [SEGMENT, ["predict", "--images", words, ...segmenter!], "found text"],
      [SEGMENT, ["predict", "--images", join(ROOT, "i"), "--head", words], `Cannot read "${words}"`],
      [DETECT, ["train", ...CSV, "--boxes", wrong, ...boxes], `Cannot read "${wrong}" row`],
      [DETECT, ["train", ...CSV, "--boxes", typed, ...boxes], `Cannot read "${typed}" row`],
      [DETECT, ["train", ...CSV, "--boxes", outside, ...boxes], "its boxes must lie within 60 x 40 pixels: one is x"],
      [
        DETECT,
        ["evaluate", ...CSV, "--boxes", foreign, ...boxes, ...detector!],
        'must be one of Mass: current value is "Cyst"',
      ],
    ] as const
  ) {
    const error = await assertRejects(() => run(command, [...line, ...model]), Error);
    assert(error.message.includes(message), `${line.join(" ")}: ${error.message}`);
  }
});

Deno.test("segment goes on without a cache of maps that cannot be written, says so once, and comes to the same head", async () => {
  const { open } = Deno;
  const isCache = (path: string | URL): boolean => String(path).includes("read-only");
  Deno.open = (path, options) =>
    isCache(path) && options?.write
      ? Promise.reject(new Deno.errors.PermissionDenied("Read-only file system"))
      : open(path, options);
  const data = [...CSV, "--mask-column", "mask", ...MODEL, ...SHORT, "--out", join(ROOT, "uncached")];
  const errors: string[] = [];
  try {
    await run(SEGMENT, ["train", ...data, "--cache", join(ROOT, "read-only")], errors);
  } finally {
    Deno.open = open;
  }
  assertEquals(errors.filter((line) => line.includes("read-only")), [
    `warning: Cannot keep maps in "${join(ROOT, "read-only")}": ${
      errors.find((line) => line.includes("read-only"))?.match(/Cannot write .*system/)?.[0]
    }; maps are held in memory and not kept`,
  ]);
  const head = (name: string): Promise<Uint8Array> => Deno.readFile(join(ROOT, name, "head.safetensors"));
  assertEquals(await head("uncached"), await head("seg"));
});

Deno.test("fileNames() keeps letters of any script, leaves no two alike and no image's extension", () => {
  const ids = ["a/b.png", "a_b.JPG", "A_B", "患者/一", "患者/二", "x.dcm", "../x", "v1.2"];
  assertEquals(fileNames(ids), ["a_b", "a_b_2", "A_B_3", "患者_一", "患者_二", "x", ".._x", "v1.2"]);
});

Deno.test("segment and detect refuse an encoder that no head fits before they read any case", async () => {
  const vision = { ...MINI.vision, imageSize: 63, patchSize: 9 };
  const params = initClip({ ...MINI, vision }, 1);
  const checkpoint = [...await toClipTensors(params, BIOMED_CLIP_LAYOUT)];
  disposeParams(params);
  const path = join(ROOT, "odd.safetensors");
  await writeSafetensors(
    path,
    new Map(checkpoint.map(([name, { shape, values }]) => [name, float32Tensor(shape, values)])),
  );
  const line = ["train", "--dataset", join(ROOT, "not read.csv"), "--weights", path, "--out", join(ROOT, "bad")];
  await assertRejects(
    () => run(SEGMENT, line),
    RangeError,
    "the patch must be a power of two >= 2: current value is 9",
  );
  await assertRejects(() => run(DETECT, line), RangeError, "the map's side must be even: current value is 7");
});

Deno.test("siimSubmission(), rsnaSubmission() and boxesCsv() write the challenges' rows", () => {
  const mask = { width: 2, height: 3, data: Uint8Array.from([0, 1, 1, 1, 0, 0]) };
  const empty = { width: 2, height: 3, data: new Uint8Array(6) };
  assertEquals(
    siimSubmission([{ id: "a", mask }, { id: "b", mask: empty }].map((row) => siimRow(row))),
    "ImageId,EncodedPixels\na,1 1 1 2\nb,-1\n",
  );
  const box = { x: 0.25, y: 0.5, width: 0.5, height: 0.125, classIndex: 0, score: 0.87654 };
  const images = [{ id: "a", size: [1024, 512] as const, boxes: [box] }, {
    id: 'b,"c',
    size: [8, 8] as const,
    boxes: [],
  }];
  assertEquals(rsnaSubmission(images), 'patientId,PredictionString\na,0.8765 256 256 512 64\n"b,""c",\n');
  assertEquals(boxesCsv(images, ["Mass"]), "image,label,score,x,y,width,height\na,Mass,0.8765,256,256,512,64\n");
});

Deno.test("siimRow(), rsnaSubmission() and boxesCsv() guard ids from spreadsheets unless told not to", () => {
  const mask = { width: 1, height: 1, data: new Uint8Array(1) };
  const box = { x: 0, y: 0, width: 1, height: 1, classIndex: 0, score: 1 };
  for (const id of ["-12", "-cmd", "=1+1", "+a", "@a"]) {
    const images = [{ id, size: [2, 2] as const, boxes: [box] }];
    const guarded = id === "-12" ? id : `"'${id}"`;
    for (const [spreadsheet, shown] of [[true, guarded], [false, id]] as const) {
      assertEquals(siimRow({ id, mask }, { spreadsheet }), `${shown},-1`);
      assertEquals(rsnaSubmission(images, { spreadsheet }).split("\n")[1], `${shown},1 0 0 2 2`);
      assertEquals(boxesCsv(images, ["Mass"], { spreadsheet }).split("\n")[1], `${shown},Mass,1,0,0,2,2`);
    }
    assertEquals(siimRow({ id, mask }), `${guarded},-1`);
  }
});

globalThis.addEventListener("unload", () => Deno.removeSync(ROOT, { recursive: true }));
