import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { encode } from "fast-png";
import { describeDataset, hashIds } from "../../lib/data/dataset.ts";
import { loadFolder } from "../../lib/data/folder.ts";
import { JointClassError } from "../../lib/data/classes.ts";
import { loadPairs } from "../../lib/data/pairs.ts";
import { CHEXPERT_LABELS } from "../../lib/data/types.ts";
import { CASES, needsCase } from "../cases.ts";
import { needs, png, REAL_DATA, withFiles } from "./helpers.ts";

const images = { "i/a.png": png(7), "i/b.png": png(8), "i/c.png": png(9) };

Deno.test("loadPairs() keeps the file's order, counts rows without text and reads the image when asked", async () => {
  const csv = "path,note,who\ni/b.png,Clear.,p1\ni/a.png,  ,p1\ni/c.png,Effusion.,p2\n";
  await withFiles({ ...images, "t.csv": csv }, async (root) => {
    const set = await loadPairs(root, { csv: "t.csv", text: "note", patient: "who" });
    assertEquals(set.cases.map((c) => [c.id, c.text, c.patientId]), [
      ["i/b.png", "Clear.", "p1"],
      ["i/c.png", "Effusion.", "p2"],
    ]);
    assertEquals(set.summary, { read: 3, kept: 2, dropped: { "no text": 1 } });
    assertEquals(set.split, { name: "all", size: 2, hash: await hashIds(["i/b.png", "i/c.png"]) });
    assertEquals((await set.cases[0]!.image()).data[0], 8);
    assertEquals(set.task, "pairs");
    assertEquals(
      describeDataset(set).startsWith("t all: 3 read, 2 kept, dropped 1 (no text); split of 2, sha256 "),
      true,
    );
  });
});

Deno.test("loadPairs() finds images and masks whose paths were written on Windows", async () => {
  await withFiles(
    { ...images, "t.csv": "path,note,mask\ni\\a.png,one,i\\m.png\n", "i/m.png": png(255) },
    async (root) => {
      const { cases } = await loadPairs(join(root, "t.csv"), { text: "note", mask: "mask" });
      assertEquals(cases.map(({ id, path }) => [id, path]), [["i\\a.png", join(root, "i", "a.png")]]);
      assertEquals((await cases[0]!.image()).data[0], 7);
      assertEquals((await cases[0]!.mask!()).data[0], 1);
      await Deno.remove(join(root, "i", "a.png"));
      await assertRejects(() => loadPairs(join(root, "t.csv")), Error, "i\\a.png"); // as the table has it
    },
  );
});

Deno.test("loadPairs() tells two rows of one image apart by their ids", async () => {
  await withFiles({ ...images, "t.csv": "path,note\ni/a.png,one\ni/a.png,two\n" }, async (root) => {
    const set = await loadPairs(join(root, "t.csv"), { text: "note" });
    assertEquals(set.cases.map((c) => c.id), ["i/a.png", "i/a.png#2"]);
  });
});

Deno.test("loadPairs() reads classes, a filter and the 14 CheXpert columns", async () => {
  const header = ["path", "class", "split", ...CHEXPERT_LABELS].join(",");
  const blank = ",".repeat(CHEXPERT_LABELS.length - 1);
  const csv = `${header}\ni/a.png,sick,test,1${blank}\ni/b.png,well,test,${blank}\ni/c.png,well,train,${blank}\n`;
  await withFiles({ ...images, "t.csv": csv }, async (root) => {
    const set = await loadPairs(root, { csv: "t.csv", label: "class", where: { split: "test" } });
    assertEquals(set.classes, ["sick", "well"]);
    assertEquals(set.cases.map((c) => c.target), [0, 1]);
    assertEquals(set.cases[0]!.labels, [1, ...new Array(13).fill(null)]);
    assertEquals(set.split.name, "test");
    assertEquals(set.summary.dropped, { "other split": 1 });
    const other = await loadPairs(root, { csv: "t.csv", label: "class", classes: ["well", "sick"] });
    assertEquals(other.cases.map((c) => c.target), [1, 0, 0]);
  });
});

Deno.test("loadPairs() refuses in one line what it cannot use", async () => {
  const files = {
    ...images,
    "t.csv": "path,class\ni/a.png,sick\ni/none.png,well\n",
    "bad.csv": `path,${CHEXPERT_LABELS.join(",")}\ni/a.png,7${",".repeat(13)}\n`,
    "none.csv": "path,note\ni/a.png,\n",
  };
  await withFiles(files, async (root) => {
    await assertRejects(() => loadPairs(root, { csv: "t.csv", image: "file" }), SyntaxError, '"file"');
    await assertRejects(() => loadPairs(root, { csv: "t.csv" }), Deno.errors.NotFound, "row 3");
    await assertRejects(
      () => loadPairs(root, { csv: "t.csv", label: "class", classes: ["sick"], missing: "ignore" }),
      SyntaxError,
      'row 3 as its class must be one of sick: it is "well"',
    );
    await assertRejects(() => loadPairs(root, { csv: "bad.csv" }), SyntaxError, 'row 2 as "Atelectasis"');
    await assertRejects(() => loadPairs(root, { csv: "none.csv", text: "note" }), RangeError, "1 no text");
    const set = await loadPairs(root, { csv: "t.csv", missing: "drop" });
    assertEquals(set.summary, { read: 2, kept: 1, dropped: { "image missing": 1 } });
  });
});

Deno.test("loadPairs() refuses a class cell that holds another class, until a separator or the classes are named", async () => {
  for (const [cell, separator] of [["COVID-19, ARDS", ","], ["Mass;COVID-19", ";"], ["COVID-19|Mass", "|"]] as const) {
    const csv = `path,class\ni/a.png,COVID-19\ni/b.png,"${cell}"\ni/c.png,"clear, both sides"\n`;
    await withFiles({ ...images, "t.csv": csv }, async (root) => {
      const error = await assertRejects(() => loadPairs(root, { csv: "t.csv", label: "class" }), JointClassError);
      assertEquals(error.separator, separator);
      assertEquals(error.message.includes(`${JSON.stringify(cell)} holds "COVID-19"`), true, error.message);
      const split = await loadPairs(root, { csv: "t.csv", label: "class", separator });
      assertEquals(split.cases[1]!.targets![split.classes.indexOf("COVID-19")], 1);
      const classes = ["COVID-19", cell, "clear, both sides"];
      const kept = await loadPairs(root, { csv: "t.csv", label: "class", classes });
      assertEquals(kept.cases.map((c) => c.target), [0, 1, 2]);
    });
  }
});

Deno.test({
  ...needs("covidcxr", "loadPairs() refuses covidcxr's findings as classes of one name each"),
  fn: async () => {
    const options = { csv: "covidcxr.csv", label: "finding" };
    const error = await assertRejects(() => loadPairs(join(REAL_DATA, "covidcxr"), options), JointClassError);
    assertEquals(
      error.message.includes('"COVID-19, ARDS" holds "COVID-19", which is a class itself'),
      true,
      error.message,
    );
    const set = await loadPairs(join(REAL_DATA, "covidcxr"), { ...options, separator: "," });
    const of = (name: string): number => set.cases.filter((c) => c.targets![set.classes.indexOf(name)]).length;
    assertEquals([set.classes.includes("COVID-19, ARDS"), of("COVID-19"), of("ARDS")], [false, 141, 9]);
  },
});

Deno.test("loadFolder() makes a class of each folder and sorts by path", async () => {
  await withFiles({ "b/2.png": png(), "b/1.png": png(), "a/deep/3.png": png(), "a/notes.txt": "x" }, async (root) => {
    const set = await loadFolder(root, { name: "mine" });
    assertEquals(set.classes, ["a", "b"]);
    assertEquals(set.cases.map((c) => [c.id, c.target]), [["a/deep/3.png", 0], ["b/1.png", 1], ["b/2.png", 1]]);
    assertEquals((await loadFolder(root, { classes: ["b"] })).cases.length, 2);
    await assertRejects(() => loadFolder(root, { classes: ["c"] }), SyntaxError, '"c" is not among a, b');
  });
});

Deno.test("loadFolder() refuses a root without folders and a class without images", async () => {
  await withFiles({ "1.png": png() }, async (root) => {
    await assertRejects(() => loadFolder(root), RangeError, "it is a folder without folders");
  });
  await withFiles({ "a/1.png": png(), "b/readme.md": "" }, async (root) => {
    await assertRejects(() => loadFolder(root), RangeError, "must hold an image");
  });
});

Deno.test({
  ...needs("covidcxr", "loadPairs() reads covidcxr's notes"),
  fn: async () => {
    const set = await loadPairs(join(REAL_DATA, "covidcxr"), {
      csv: "covidcxr.csv",
      text: "note",
      patient: "patientid",
    });
    assertEquals(set.summary, { read: 196, kept: 140, dropped: { "no text": 56 } });
    const image = await set.cases[0]!.image();
    assertEquals([image.width, image.height], [321, 256]);
  },
});

Deno.test({
  ...needs("kermany", "loadPairs() reads Kermany's test split by class"),
  fn: async () => {
    const options = { csv: "kermany.csv", label: "class", patient: "patient", where: { split: "test" } };
    const set = await loadPairs(join(REAL_DATA, "kermany"), options);
    assertEquals(set.classes, ["bacterial pneumonia", "normal", "viral pneumonia"]);
    assertEquals(set.summary.read, 471);
    assertEquals(set.split.size, set.cases.length);
  },
});

Deno.test("loadPairs() splits classes at a separator, joins boxes by their key and reads masks", async () => {
  const files = {
    ...images,
    "t.csv": "path,name,found,lungs\ni/a.png,a,Mass|Nodule,i/m.png\ni/b.png,b,Nodule| ,\n",
    "boxes.csv": "name,label,x,y,w,h\na,Mass,1,2,3,4.5\na,Nodule,5,6,7,8\n",
    "i/m.png": png(200),
  };
  await withFiles(files, async (root) => {
    const boxes = { csv: "boxes.csv", image: "name", key: "name" };
    const set = await loadPairs(root, { csv: "t.csv", label: "found", separator: "|", mask: "lungs", boxes });
    assertEquals([set.task, set.classes], ["multilabel", ["Mass", "Nodule"]]);
    assertEquals(set.cases.map((c) => c.targets), [[1, 1], [0, 1]]);
    assertEquals(set.cases.map((c) => c.boxes!.length), [2, 0]);
    assertEquals(set.cases[0]!.boxes![0], { x: 1, y: 2, width: 3, height: 4.5, label: "Mass" });
    assertEquals(await set.cases[0]!.mask!(), { width: 2, height: 2, data: new Uint8Array([1, 0, 0, 0]) });
    assertEquals(set.cases[1]!.mask, undefined);
  });
  await withFiles({ ...files, "boxes.csv": "name,label,x,y,w,h\na,Mass,1,2,0,4\n" }, async (root) => {
    const boxes = { csv: "boxes.csv", image: "name", key: "name" };
    await assertRejects(() => loadPairs(root, { csv: "t.csv", boxes }), SyntaxError, "boxes.csv");
  });
});

Deno.test("loadPairs() unites the masks of an image's rows, takes absolute paths, and counts boxes of images not listed", async () => {
  const second = encode({ width: 2, height: 2, channels: 1, depth: 8, data: new Uint8Array([0, 0, 255, 0]) });
  const files = { ...images, "m/1.png": png(200), "m/2.png": second, "else/boxes.csv": "path,label,x,y,w,h\n" };
  await withFiles(files, async (root) => {
    const rows = ["path,mask", "i/a.png,m/1.png", "i/b.png,", `i/a.png,${join(root, "m/2.png")}`, "i/a.png,"];
    await Deno.writeTextFile(join(root, "t.csv"), rows.join("\n") + "\n");
    const set = await loadPairs(root, { csv: "t.csv", mask: "mask", uniqueImages: true });
    assertEquals(set.cases.map(({ id }) => id), ["i/a.png", "i/b.png"]);
    assertEquals(set.summary, { read: 4, kept: 2, dropped: { "further row of an image": 2 } });
    assertEquals([...(await set.cases[0]!.mask!()).data], [1, 0, 1, 0]);
    assertEquals(set.cases[1]!.mask, undefined);
    const csv = join(root, "else", "boxes.csv");
    await Deno.writeTextFile(csv, "path,label,x,y,w,h\ni/a.png,Mass,0,0,1,1\nc.png,Mass,0,0,1,1\nc.png,Mass,0,0,1,2\n");
    const boxed = await loadPairs(root, { csv: "t.csv", boxes: { csv, image: "path" }, uniqueImages: true });
    assertEquals(boxed.cases.map(({ boxes }) => boxes!.length), [1, 0]);
    assertEquals(boxed.summary.dropped, { "box of an image not listed": 2, "further row of an image": 2 });
  });
});

Deno.test({
  ...needs("nih_bbox", "loadPairs() reads the NIH radiographs with their 680 boxes"),
  fn: async () => {
    const columns = ["x256", "y256", "w256", "h256"] as const;
    const boxes = { csv: "boxes.csv", image: "nih_image", key: "nih_image", columns };
    const options = { csv: "images.csv", label: "bbox_labels", separator: "|", patient: "patient_id", boxes };
    const set = await loadPairs(join(REAL_DATA, "nih_bbox"), options);
    assertEquals([set.cases.length, set.classes.length], [604, 8]);
    assertEquals(set.cases.flatMap((c) => c.boxes!).length, 680);
    for (const box of set.cases.flatMap((c) => c.boxes!)) {
      assertEquals(box.x >= 0 && box.y >= 0 && box.x + box.width <= 256.5 && box.y + box.height <= 256.5, true);
      assertEquals(set.classes.includes(box.label), true);
    }
  },
});

Deno.test({
  ...needs("covidcxr/lungmask", "loadPairs() reads covidcxr's lung masks in the size of their images"),
  fn: async () => {
    const set = await loadPairs(join(REAL_DATA, "covidcxr"), { csv: "covidcxr.csv", mask: "lung_mask" });
    const masked = set.cases.filter((c) => c.mask);
    assertEquals(masked.length, 130);
    for (const item of masked.slice(0, 5)) {
      const [image, mask] = [await item.image(), await item.mask!()];
      assertEquals([mask.width, mask.height], [image.width, image.height]);
      const share = mask.data.reduce((a, b) => a + b, 0) / mask.data.length;
      assertEquals(share > 0.05 && share < 0.7, true, `${item.id}: ${share}`);
    }
  },
});

Deno.test({
  ...needsCase("tsv", "loadPairs() reads open_clip's table of filepath and title, separated by tabs"),
  fn: async () => {
    const set = await loadPairs(join(CASES, "tsv", "oc.tsv"), { image: "filepath", text: "title" });
    assertEquals(set.cases[0]!.text, "Chest radiograph 0. Findings: normal, grade 0.");
    assertEquals((await set.cases[0]!.image()).channels > 0, true);
  },
});
