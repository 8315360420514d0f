import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { unitBoxes } from "../../lib/dense/detect/boxes.ts";
import { maskTarget } from "../../lib/dense/segment/masks.ts";
import type { DenseData } from "../../lib/dense/data.ts";
import { boxColumns, loadDetectionData } from "../../lib/dense/detect/data.ts";
import { loadSegmentationData, UnlabelledCasesError } from "../../lib/dense/segment/data.ts";

const ROOT = Deno.env.get("ACE_REAL_DATA") ?? new URL("../../../shared/data", import.meta.url).pathname;
const present = await Deno.stat(join(ROOT, "nih_bbox")).then(() => true, () => false);
const reason = present ? "" : ` [skipped: no real data in ${ROOT}, set ACE_REAL_DATA]`;

const ids = (data: DenseData): string[] => [...data.train, ...data.validation, ...data.test].map(({ id }) => id);

async function folderOf(files: Record<string, string>): Promise<string> {
  const root = await Deno.makeTempDir();
  for (const [name, text] of Object.entries(files)) {
    const path = join(root, name);
    await Deno.mkdir(join(path, ".."), { recursive: true });
    await Deno.writeTextFile(path, text);
  }
  return root;
}

Deno.test("loadSegmentationData() of siim keeps the paper's test part, validates on a share of the rest, and unites lesions", async () => {
  const names = Array.from({ length: 20 }, (_, i) => `a${i}`);
  const rows = names.flatMap((name, i) => i % 2 ? [`${name},-1`] : [`${name},0 2`, `${name},1048574 2`]);
  const root = await folderOf({
    "train-rle.csv": ["ImageId,EncodedPixels", ...rows].join("\n") + "\n",
    ...Object.fromEntries(names.map((name) => [`dicom-images-train/${name}.dcm`, ""])),
  });
  const data = await loadSegmentationData("siim", { root });
  assertEquals([data.train.length + data.validation.length, data.validation.length, data.test.length], [14, 3, 6]);
  assertEquals(ids(data).toSorted(), names.toSorted());
  const lesions = async (one: DenseData): Promise<number> => {
    const item = [...one.train, ...one.validation, ...one.test].find(({ id }) => id === "a4")!;
    return (await item.mask!()).data.reduce((a, b) => a + b, 0);
  };
  assertEquals(await lesions(data), 4);
  assertEquals(await lesions(await loadSegmentationData("siim", { root, lesions: "first" })), 2);
  await Deno.remove(root, { recursive: true });
});

Deno.test("loadDetectionData() of rsna has three parts without a common patient, with or without patients without boxes", async () => {
  const names = Array.from({ length: 40 }, (_, i) => `p${String(i).padStart(2, "0")}`);
  const rows = names.map((name, i) => i % 2 ? `${name},10,20,30,40,1` : `${name},,,,,0`);
  const root = await folderOf({
    "stage_2_train_labels.csv": ["patientId,x,y,width,height,Target", ...rows].join("\n") + "\n",
    ...Object.fromEntries(names.map((name) => [`stage_2_train_images/${name}.dcm`, ""])),
  });
  const all = await loadDetectionData("rsna", { root });
  assertEquals(ids(all).toSorted(), names);
  const positives = await loadDetectionData("rsna", { root, protocol: "positives" });
  assertEquals(ids(positives).toSorted(), names.filter((_, i) => i % 2));
  assert([...positives.train, ...positives.test].every(({ boxes }) => boxes!.length === 1));
  await Deno.remove(root, { recursive: true });
});

Deno.test("loadSegmentationData() takes the parts that a column names, without a patient in two of them", async () => {
  const names = ["train", "val", "test", "validation", "valid", "train", "test"];
  const root = await folderOf({ "m.png": "", ...Object.fromEntries(names.map((_, i) => [`${i}.png`, ""])) });
  const path = join(root, "t.csv");
  const write = (patient: (i: number) => number): Promise<void> =>
    Deno.writeTextFile(
      path,
      "path,part,who,mask\n" + names.map((name, i) => `${i}.png,${name},${patient(i)},m.png\n`).join(""),
    );
  const load = (options = {}): Promise<DenseData> =>
    loadSegmentationData(path, {
      columns: { mask: "mask", patient: "who" },
      splitColumn: "part",
      ...options,
    });
  await write((i) => i);
  const { train, validation, test } = await load();
  assertEquals([train, validation, test].map((part) => part.map(({ id }) => id[0]).join("")), ["05", "134", "26"]);
  await write((i) => i === 6 ? 0 : i);
  await assertRejects(load, RangeError, 'must be in one part: patient "0" is in train and in test');
  await Deno.writeTextFile(path, "path,part,who,mask\n2.png,test,1,m.png\n");
  await assertRejects(load, RangeError, "its train part must have a case: it has 0");
  assertEquals((await load({ needed: ["test"] })).test.length, 1);
  await Deno.writeTextFile(path, "path,part,who,mask\n2.png,dev,1,m.png\n");
  await assertRejects(load, SyntaxError, 'it is "dev"');
  await Deno.writeTextFile(path, "path,part,who,mask\n2.png,test,1,m.png\n1.png,test,2,\n0.png,test,2,\n");
  await assertRejects(
    load,
    UnlabelledCasesError,
    'as every case must have a mask: 2 of 3 have none, "1.png" is the first',
  );
  await Deno.remove(root, { recursive: true });
});

Deno.test("loadDetectionData() refuses parts without a case, sets without boxes, and columns that are not four", async () => {
  const root = await folderOf({
    "images.csv": "path\na.png\nb.png\n",
    "boxes.csv": "path,label,x,y,w,h\n",
    "a.png": "",
    "b.png": "",
  });
  const boxes = { csv: "boxes.csv", image: "path" };
  await assertRejects(
    () => loadDetectionData(join(root, "images.csv"), { columns: { boxes } }),
    RangeError,
    "as an image must have a box: none has",
  );
  await Deno.writeTextFile(join(root, "boxes.csv"), "path,label,x,y,w,h\na.png,Mass,1,1,2,2\n");
  await assertRejects(
    () => loadDetectionData(join(root, "images.csv"), { columns: { boxes } }),
    RangeError,
    "part must have a case: it has 0",
  );
  assertEquals(boxColumns("a, b,c ,d"), ["a", "b", "c", "d"]);
  assertThrows(() => boxColumns("a,b,,d"), RangeError, 'current value is "a,b,,d"');
  await Deno.remove(root, { recursive: true });
});

Deno.test({
  name: `every human lung mask has its image's size, and every NIH box lies in its image${reason}`,
  ignore: !present,
  fn: async () => {
    const lungs = await loadSegmentationData(join(ROOT, "covidcxr", "covidcxr.csv"), {
      columns: { mask: "lung_mask", patient: "patientid" },
      skipUnlabelled: true,
    });
    assertEquals([ids(lungs).length, lungs.dropped["no mask"]], [130, 66]);
    for (const item of lungs.test) {
      const image = await item.image();
      const mask = await maskTarget(item, { size: 64, image: [image.width, image.height] });
      const share = mask.reduce((a, b) => a + b, 0) / mask.length;
      assert(share > 0.05 && share < 0.8, `${item.id}: ${share}`);
    }
    const actual = await loadDetectionData(join(ROOT, "nih_bbox", "images.csv"), {
      columns: {
        patient: "patient_id",
        boxes: { csv: "boxes.csv", image: "nih_image", key: "nih_image", columns: ["x256", "y256", "w256", "h256"] },
      },
    });
    assertEquals([ids(actual).length, actual.classes.length], [604, 8]);
    const parts = [actual.train, actual.validation, actual.test].map((part) =>
      new Set(part.map((item) => item.patientId))
    );
    assert([...parts[2]!].every((patient) => !parts[0]!.has(patient) && !parts[1]!.has(patient)));
    const all = [...actual.train, ...actual.validation, ...actual.test];
    const boxes = all.flatMap((item) =>
      unitBoxes(item.boxes!, { id: item.id, width: 256, height: 256, classes: actual.classes })
    );
    assertEquals(boxes.length, 680);
  },
});
