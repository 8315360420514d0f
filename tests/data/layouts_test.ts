import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { DATASETS } from "../../lib/data/registry.ts";
import { loadRsna, type RsnaSplit } from "../../lib/data/rsna.ts";
import { loadSiim } from "../../lib/data/siim.ts";
import { loadNih, NIH_CLASSES } from "../../lib/data/nih.ts";
import { gzip, needs, png, REAL_DATA, withFiles } from "./helpers.ts";
import { CASES, needsCase } from "../cases.ts";
import fixture from "./fixtures/splits.json" with { type: "json" };

/** The ids of make_splits.py. */
const name = (i: number): string =>
  `${((BigInt(i) * 2654435761n) % 2n ** 32n).toString(16).padStart(8, "0")}-${String(i).padStart(5, "0")}`;

Deno.test("loadRsna() chooses the published splits of 26,684 patients, as pandas and scikit-learn do", async () => {
  const rows = ["patientId,x,y,width,height,Target"];
  for (let i = 0; i < 26684; i++) {
    const positive = (i * 7919) % 26684 < 6012;
    rows.push(positive ? `${name(i)},1,2,3,4,1` : `${name(i)},,,,,0`);
    if (positive && i % 4 === 0) rows.push(`${name(i)},5,6,7,8,1`);
  }
  await withFiles({ "stage_2_train_labels.csv": rows.join("\n") }, async (root) => {
    for (const [split, want] of Object.entries(fixture.rsna)) {
      const set = await loadRsna(root, { split: split as RsnaSplit, missing: "ignore" });
      assertEquals(
        { size: set.split.size, first: set.cases[0]!.id, hash: set.split.hash },
        want,
        split,
      );
      assertEquals(set.summary, { read: 26684, kept: want.size, dropped: { "other split": 26684 - want.size } });
    }
    assertEquals((await loadRsna(root, { split: "test", missing: "ignore" })).split.size, 4003);
  });
});

/** `train_test_split` of scikit-learn 1.9.1, in the authors' order: training, validation, test. */
const POSITIVES = {
  train: "fcf66618f8f342d166349ab6d10914de863e1ea37107a8c440fdbbf8ad849f17",
  val: "85733cae13c4a697176e74087b3893f421f17613f6a5b01701d928dec09d2637",
  test: "07bcf3f4ab69c29359adb9a9c81913c5a9c3105bc2e06dff0e06ac5ae636ab0a",
};

Deno.test({
  ...needsCase(
    "rsna_positives",
    "loadRsna() validates on the first part of the authors' second split, tests on the second",
  ),
  async fn() {
    for (const [part, hash] of Object.entries(POSITIVES)) {
      const split = `positives-${part}` as RsnaSplit;
      assertEquals((await loadRsna(`${CASES}/rsna_positives`, { split, missing: "ignore" })).split.hash, hash, part);
    }
  },
});

Deno.test("loadSiim() samples 3,614 of 12,047 images as pandas does, each image once", async () => {
  const rows = ["ImageId, EncodedPixels"];
  for (let i = 0; i < 12047; i++) rows.push(`${name(i)}, ${i % 5 ? "-1" : "10 3"}`);
  for (let i = 0; i < 12047; i += 13) rows.push(`${name(i)}, 100 5`);
  await withFiles({ "train-rle.csv": rows.join("\n") }, async (root) => {
    const set = await loadSiim(root, { missing: "ignore" });
    assertEquals({ size: set.split.size, first: set.cases[0]!.id, hash: set.split.hash }, fixture.siim.test);
    assertEquals(set.summary, {
      read: 12974,
      kept: 3614,
      dropped: { "further row of an image": 927, "other split": 8433 },
    });
    const train = await loadSiim(root, { split: "train", missing: "ignore" });
    assertEquals(train.cases.length, 12047 - 3614);
    const test = new Set(set.cases.map((c) => c.id));
    assertEquals(train.cases.filter((c) => test.has(c.id)), []);
  });
});

const rsnaCsv = "patientId,x,y,width,height,Target\nb,1,2,3,4,1\nb,5.5,6,7,8,1\na,,,,,0\nc,,,,,0\n";

Deno.test("loadRsna() sorts patients, gathers their boxes and reads DICOM or PNG by content", async () => {
  const files = {
    "stage_2_train_labels.csv": rsnaCsv,
    "stage_2_train_images/a.dcm": png(1),
    "stage_2_train_images/b.dcm": png(2),
    "stage_2_detailed_class_info.csv":
      "patientId,class\na,Normal\nb,Lung Opacity\nb,Lung Opacity\nc,No Lung Opacity / Not Normal\n",
  };
  await withFiles(files, async (root) => {
    await assertRejects(() => loadRsna(root, { split: "all" }), Deno.errors.NotFound, "row 5");
    const set = await loadRsna(root, { split: "all", missing: "drop" });
    assertEquals(set.cases.map((c) => [c.id, c.target]), [["a", 0], ["b", 1]]);
    assertEquals(set.cases[1]!.boxes, [
      { x: 1, y: 2, width: 3, height: 4, label: "pneumonia" },
      { x: 5.5, y: 6, width: 7, height: 8, label: "pneumonia" },
    ]);
    assertEquals(set.summary, { read: 3, kept: 2, dropped: { "image missing": 1 } });
    assertEquals((await set.cases[1]!.image()).data[0], 2);
    const kinds = await loadRsna(root, { split: "all", missing: "drop", attributes: ["class"] });
    assertEquals(kinds.cases.map((c) => c.attributes), [{ class: "Normal" }, { class: "Lung Opacity" }]);
    const normal = await loadRsna(root, { split: "all", negatives: "normal", missing: "ignore" });
    assertEquals(normal.summary.dropped, { "neither normal nor pneumonia": 1 });
  });
});

Deno.test("loadRsna() refuses a target or a box that is none, naming file, row and value", async () => {
  await withFiles({ "stage_2_train_labels.csv": rsnaCsv.replace("a,,,,,0", "a,,,,,2") }, async (root) => {
    await assertRejects(() => loadRsna(root), SyntaxError, 'row 4 as "Target" must be 0 or 1: it is "2"');
  });
  await withFiles({ "stage_2_train_labels.csv": rsnaCsv.replace("1,2,3,4,1", "1,,3,4,1") }, async (root) => {
    await assertRejects(() => loadRsna(root), SyntaxError, 'row 2 as "y" must be a number: it is ""');
  });
  await withFiles({ "stage_2_train_labels.csv": "id,Target\na,1\n" }, async (root) => {
    await assertRejects(() => loadRsna(root), SyntaxError, '"patientId": its columns are "id", "Target"');
  });
  await withFiles({ "x.csv": "" }, async (root) => {
    await assertRejects(() => loadRsna(root), Deno.errors.NotFound, "stage_2_train_labels.csv");
  });
});

Deno.test("loadSiim() unites an image's lesions or takes the first, and finds nested images", async () => {
  const files = {
    "stage_2_train.csv": "ImageId,EncodedPixels\n1.2.3,1 2\n1.2.4,-1\n1.2.3,5 1\n",
    "dicom-images-train/s/t/1.2.3.dcm": png(1),
    "dicom-images-train/u/v/1.2.4.dcm": png(2),
  };
  await withFiles(files, async (root) => {
    const set = await loadSiim(root, { split: "all", maskSide: 3 });
    assertEquals(set.cases.map((c) => [c.id, c.target]), [["1.2.3", 1], ["1.2.4", 0]]);
    assertEquals([...(await set.cases[0]!.mask!()).data], [0, 0, 0, 1, 0, 0, 1, 1, 0]);
    assertEquals([...(await set.cases[1]!.mask!()).data], new Array(9).fill(0));
    const first = await loadSiim(root, { split: "all", lesions: "first", maskSide: 3 });
    assertEquals([...(await first.cases[0]!.mask!()).data], [0, 0, 0, 1, 0, 0, 1, 0, 0]);
    await assertRejects(
      () => loadSiim(root, { split: "all", maskSide: 1 }),
      SyntaxError,
      'stage_2_train.csv" row 2: Cannot decode RLE as runs must end within 1 x 1 pixels: one ends at 3',
    );
    assertEquals((await loadSiim(root, { split: "all", maskSide: 2, lesions: "first" })).cases[0]!.maskSize, {
      width: 2,
      height: 2,
    });
    assertEquals((await set.cases[1]!.image()).data[0], 2);
  });
});

const entries = "Image Index,Finding Labels,Follow-up #,Patient ID,OriginalImage[Width,Height],\n" +
  "1_0.png,Edema|Mass,0,1,10,10,\n1_1.png,No Finding,1,1,10,10,\n2_0.png,Hernia,0,2,10,10,\n" +
  "3_0.png,Effusion,0,3,10,10,\n4_0.png,Pleural_Thickening,0,4,10,10,\n";
const boxList = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n2_0.png,Infiltrate,1.5,2,3,4\n2_0.png,Mass,5,6,7,8,,,\n";
const nihFiles = {
  "Data_Entry_2017.csv": entries,
  "test_list.txt": "4_0.png\r\n3_0.png\r\n2_0.png\r\n1_1.png\r\n1_0.png\r\n",
  "train_val_list.txt": "1_0.png\n",
  "BBox_List_2017.csv": boxList,
  "images_001/images/1_0.png": png(1),
  "images_001/images/1_1.png": png(2),
  "images_002/images/2_0.png": png(3),
  "images_012/images/3_0.png": png(4),
  "images/4_0.png": png(5),
};

Deno.test("loadNih() takes the first fifth of the test images, or all of them, in the table's order", async () => {
  await withFiles(nihFiles, async (root) => {
    const set = await loadNih(root);
    assertEquals([set.cases.map((c) => c.id), set.score], [["1_0.png"], "min-max"]);
    assertEquals(set.summary, { read: 5, kept: 1, dropped: { "other split": 4 } });
    const test = await loadNih(root, { split: "test" });
    assertEquals(test.cases.map((c) => [c.id, c.patientId]), [
      ["1_0.png", "1"],
      ["1_1.png", "1"],
      ["2_0.png", "2"],
      ["3_0.png", "3"],
      ["4_0.png", "4"],
    ]);
    const actual = test.cases[0]!.targets!.map((t, i) => t ? NIH_CLASSES[i] : "").filter(Boolean);
    assertEquals(actual, ["Mass", "Edema"]);
    assertEquals(test.cases[1]!.targets!.includes(1), false);
    assertEquals((await test.cases[4]!.image()).data[0], 5);
    assertEquals((await loadNih(root, { split: "train" })).cases.length, 1);
    const followed = await loadNih(root, { split: "test", attributes: ["Follow-up #"] });
    assertEquals(followed.cases.map((c) => c.attributes!["Follow-up #"]), ["0", "1", "0", "0", "0"]);
    await assertRejects(() => loadNih(root, { attributes: ["Patient Sex"] }), SyntaxError, '"Patient Sex"');
  });
});

Deno.test("loadNih() joins boxes to their images", async () => {
  await withFiles(nihFiles, async (root) => {
    const set = await loadNih(root, { split: "boxes" });
    assertEquals(set.cases.map((c) => c.id), ["2_0.png"]);
    assertEquals(set.cases[0]!.boxes, [
      { x: 1.5, y: 2, width: 3, height: 4, label: "Infiltration" },
      { x: 5, y: 6, width: 7, height: 8, label: "Mass" },
    ]);
  });
});

Deno.test("loadNih() refuses an unknown finding, and a listed image that the table lacks", async () => {
  const bad = { ...nihFiles, "Data_Entry_2017.csv": entries.replace("Pleural_Thickening", "Thickening") };
  await withFiles(bad, async (root) => {
    await assertRejects(() => loadNih(root, { split: "test" }), SyntaxError, "row 6");
  });
  await withFiles({ ...nihFiles, "test_list.txt": "9_9.png\n".repeat(5) }, async (root) => {
    await assertRejects(() => loadNih(root), SyntaxError, "test_list.txt");
  });
});

Deno.test({
  ...needs("annotations", "loadNih() reads the real table and box list: 112,120 images, 984 boxes"),
  fn: async () => {
    const read = (file: string): Uint8Array => Deno.readFileSync(join(REAL_DATA, "annotations", file));
    const files = {
      "Data_Entry_2017_v2020.csv.gz": read("nih_Data_Entry_2017_v2020.csv.gz"),
      "BBox_List_2017.csv.gz": read("nih_BBox_List_2017.csv.gz"),
    };
    await withFiles(files, async (root) => {
      const set = await loadNih(root, { split: "all", missing: "ignore" });
      assertEquals([set.cases.length, new Set(set.cases.map((c) => c.patientId)).size], [112120, 30805]);
      // Wang et al. 2017, table of the release: single figures of two findings
      const count = (finding: string): number =>
        set.cases.filter((c) => c.targets![NIH_CLASSES.indexOf(finding)]).length;
      assertEquals([count("Hernia"), count("Pneumonia"), count("Atelectasis")], [227, 1431, 11559]);
      const boxed = await loadNih(root, { split: "boxes", missing: "ignore" });
      assertEquals([boxed.cases.length, boxed.cases.flatMap((c) => c.boxes!).length], [880, 984]);
    });
  },
});

Deno.test("DATASETS rejects a split that a data set does not have, and lists cases without any image", async () => {
  await withFiles({ "stage_2_train_labels.csv": await gzip(rsnaCsv) }, async (root) => {
    const { load } = DATASETS["rsna"]!;
    await assertRejects(() => load(root, { split: "validate" }), RangeError, "one of test, train, all");
    assertEquals((await load(root, { split: "all", missing: "ignore" })).cases.map((c) => c.id), ["a", "b", "c"]);
    await assertRejects(() => DATASETS["folder"]!.load(root, { split: "test" }), RangeError, "only the whole");
  });
});

Deno.test("DATASETS gives every data set a layout, a note on prompts and a loader", () => {
  for (const [key, entry] of Object.entries(DATASETS)) {
    assertEquals([entry.layout, entry.promptsNote].every((text) => text.length > 10), true, key);
  }
  assertEquals(Object.keys(DATASETS).length, 10);
});
