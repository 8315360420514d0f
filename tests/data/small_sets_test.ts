import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { zipSync } from "fflate";
import { loadChexpert5x200 } from "../../lib/data/chexpert5x200.ts";
import { LC25000_CLASSES, loadLc25000 } from "../../lib/data/lc25000.ts";
import { loadMedmnist } from "../../lib/data/medmnist.ts";
import { loadMhist } from "../../lib/data/mhist.ts";
import { readNpy, readNpz } from "../../lib/data/npy.ts";
import { CHEXPERT_LABELS } from "../../lib/data/types.ts";
import { needs, png, REAL_DATA, withFiles } from "./helpers.ts";

const row = (path: string, ...positive: string[]): string =>
  [path, ...CHEXPERT_LABELS.map((label) => positive.includes(label) ? "1.0" : "0.0")].join(",");
const header = ["Path", ...CHEXPERT_LABELS].join(",");
const one = "CheXpert-v1.0/train/patient00007/study1/view1_frontal.jpg";
const two = "CheXpert-v1.0/train/patient00008/study2/view1_frontal.jpg";

Deno.test("loadChexpert5x200() takes each image's one finding, and finds images with and without the first folder", async () => {
  const csv = [header, row(one, "Edema"), row(two, "Pleural Effusion")].join("\n");
  for (const folder of ["CheXpert-v1.0/", "", "CheXpert-v1.0-small/"]) {
    const place = (path: string): string => path.replace("CheXpert-v1.0/", folder);
    await withFiles({ "chexpert_5x200.csv": csv, [place(one)]: png(1), [place(two)]: png(2) }, async (root) => {
      const set = await loadChexpert5x200(root);
      assertEquals(set.cases.map((c) => [c.id, c.target, c.patientId]), [
        [one, 3, "patient00007"],
        [two, 4, "patient00008"],
      ]);
      assertEquals((await set.cases[1]!.image()).data[0], 2);
      assertEquals(set.cases[0]!.labels!.filter((l) => l === 1).length, 1);
      const [first] = (await loadChexpert5x200(root, { attributes: ["Fracture"] })).cases;
      assertEquals(first!.attributes, { Fracture: "0.0" });
    });
  }
});

Deno.test("loadChexpert5x200() refuses a row with two of the five findings, or none, and names a missing image", async () => {
  for (const positive of [["Edema", "Atelectasis"], ["Fracture"]]) {
    await withFiles({ "chexpert_5x200.csv": [header, row(one, ...positive)].join("\n") }, async (root) => {
      await assertRejects(() => loadChexpert5x200(root), SyntaxError, "row 2");
    });
  }
  await withFiles({ "chexpert_5x200.csv": [header, row(one, "Edema")].join("\n") }, async (root) => {
    await assertRejects(() => loadChexpert5x200(root), Deno.errors.NotFound, "row 2");
    assertEquals((await loadChexpert5x200(root, { missing: "ignore" })).cases.length, 1);
    assertEquals((await loadChexpert5x200(root, { missing: "drop" })).summary.dropped, { "image missing": 1 });
  });
});

Deno.test("loadMhist() keeps the official partition and refuses another label", async () => {
  const csv = "Image Name,Majority Vote Label,Number of Annotators who Selected SSA (Out of 7),Partition\n" +
    "MHIST_aaa.png,SSA,6,train\nMHIST_aab.png,HP,0,test\nMHIST_aac.png,SSA,5,test\n";
  const images = { "images/MHIST_aab.png": png(1), "images/MHIST_aac.png": png(2) };
  await withFiles({ "annotations.csv": csv, ...images }, async (root) => {
    const set = await loadMhist(root);
    assertEquals(set.cases.map((c) => [c.id, c.target]), [["MHIST_aab.png", 0], ["MHIST_aac.png", 1]]);
    const votes = "Number of Annotators who Selected SSA (Out of 7)";
    assertEquals((await loadMhist(root, { attributes: [votes] })).cases.map((c) => c.attributes![votes]), ["0", "5"]);
    assertEquals(set.summary, { read: 3, kept: 2, dropped: { "other split": 1 } });
    await assertRejects(() => loadMhist(root, { split: "all" }), Deno.errors.NotFound, "row 2");
  });
  await withFiles({ "annotations.csv": csv.replace("HP", "XX"), ...images }, async (root) => {
    await assertRejects(() => loadMhist(root), SyntaxError, 'row 3 as its class must be one of HP, SSA: it is "XX"');
  });
});

const NAMES = ["lung_n", "lung_aca", "lung_scc", "colon_aca", "colon_n"];

Deno.test("loadLc25000() finds the classes side by side and as published", async () => {
  for (const prefix of ["", "nested/", "lung_colon_image_set/"]) {
    const files: Record<string, Uint8Array> = {};
    for (const name of NAMES) {
      const folder = prefix ? `${prefix.replace("nested/", "")}${name.split("_")[0]}_image_sets/` : "";
      files[`${folder}${name}/${name.replace("_", "")}1.jpeg`] = png(1);
    }
    await withFiles(files, async (root) => {
      const set = await loadLc25000(root);
      assertEquals(set.classes, LC25000_CLASSES);
      assertEquals(
        set.cases.map((c) => [c.id, c.target]),
        NAMES.map((n, i) => [`${n}/${n.replace("_", "")}1.jpeg`, i]),
      );
      assertEquals((await loadLc25000(root, { organ: "colon" })).cases.map((c) => c.target), [0, 1]);
    });
  }
  await withFiles({ "lung_n/a.png": png() }, async (root) => {
    await assertRejects(() => loadLc25000(root), Deno.errors.NotFound, "lung_aca");
  });
});

Deno.test({
  ...needs("lc25000", "loadLc25000() reads the 739 real tiles"),
  fn: async () => {
    const set = await loadLc25000(join(REAL_DATA, "lc25000"));
    assertEquals(set.cases.length, 739);
    assertEquals(new Set(set.cases.map((c) => c.target)).size, 5);
    const image = await set.cases.at(-1)!.image();
    assertEquals([image.width, image.height, image.channels], [224, 224, 3]);
  },
});

/** A .npy file of version 1. */
function npy(descr: string, shape: number[], bytes: ArrayLike<number>): Uint8Array {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`.padEnd(117) + "\n";
  const head = [0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, text.length, 0, ...new TextEncoder().encode(text)];
  return Uint8Array.from([...head, ...Array.from(bytes)]);
}

Deno.test("readNpy() reads whole numbers of 8 to 64 bits with their signs", () => {
  assertEquals(readNpy(npy("|u1", [2, 2], [1, 2, 3, 255]), "a"), {
    shape: [2, 2],
    data: new Uint8Array([1, 2, 3, 255]),
  });
  assertEquals([...readNpy(npy("|i1", [1], [255]), "a").data], [-1]);
  assertEquals([...readNpy(npy("<u2", [1], [1, 2]), "a").data], [513]);
  assertEquals([...readNpy(npy("<i4", [1], [254, 255, 255, 255]), "a").data], [-2]);
  assertEquals([...readNpy(npy("<u8", [1], [0, 0, 0, 0, 0, 0, 0, 128]), "a").data], [2 ** 63]);
  assertEquals([...readNpy(npy("<i8", [1], [253, 255, 255, 255, 255, 255, 255, 255]), "a").data], [-3]);
});

Deno.test("readNpy() refuses other files, types, orders and sizes that lie", () => {
  assertThrows(() => readNpy(new Uint8Array(200), "x.npy"), SyntaxError, "x.npy");
  assertThrows(() => readNpy(npy("<f4", [1], [0, 0, 0, 0]), "x"), SyntaxError, "<f4");
  assertThrows(() => readNpy(npy(">i4", [1], [0, 0, 0, 0]), "x"), SyntaxError, ">i4");
  assertThrows(() => readNpy(npy("|u1", [1000000], [0]), "x"), SyntaxError, "there are 1");
  assertThrows(() => readNpy(npy("|u1", [3], [1, 2, 3]).subarray(0, 40), "x"), SyntaxError, "its header must end");
});

Deno.test("loadMedmnist() reads one split, and names a missing array or a damaged archive", async () => {
  const archive = zipSync({
    "test_images.npy": npy("|u1", [2, 1, 2], [1, 2, 3, 4]),
    "test_labels.npy": npy("|u1", [2, 1], [1, 0]),
    "val_images.npy": npy("|u1", [1, 1, 2, 3], [1, 2, 3, 4, 5, 6]),
    "val_labels.npy": npy("|u1", [1, 3], [1, 0, 1]),
  });
  const files = { "pneumoniamnist.npz": archive, "other.npz": archive, "cut.npz": archive.slice(0, 150) };
  await withFiles(files, async (root) => {
    const set = await loadMedmnist(root);
    assertEquals(set.cases.map((c) => [c.id, c.target]), [["test/0", 1], ["test/1", 0]]);
    assertEquals(set.classes, ["normal", "pneumonia"]);
    assertEquals(await set.cases[1]!.image(), {
      width: 2,
      height: 1,
      channels: 1,
      bitDepth: 8,
      data: new Uint8Array([3, 4]),
    });
    const several = await loadMedmnist(join(root, "other.npz"), { split: "val" });
    assertEquals([several.task, several.classes, several.cases[0]!.targets], ["multilabel", ["0", "1", "2"], [
      1,
      0,
      1,
    ]]);
    assertEquals((await several.cases[0]!.image()).channels, 3);
    await assertRejects(() => loadMedmnist(root, { split: "train" }), SyntaxError, "train_images");
    await assertRejects(() => loadMedmnist(join(root, "cut.npz")), SyntaxError, "cut.npz");
    await assertRejects(() => loadMedmnist(root, { classes: ["one"] }), RangeError, "the highest is 1");
  });
});

Deno.test("readNpz() gives the arrays or refuses, whichever bit of the archive is wrong", async () => {
  const pixels = Uint8Array.from({ length: 64 }, (_, i) => i * i);
  for (const level of [0, 9] as const) {
    const archive = zipSync({ "x.npy": npy("|u1", [64], pixels) }, { level });
    await withFiles({ "whole.npz": archive }, async (root) => {
      const path = join(root, "whole.npz");
      assertEquals((await readNpz(path, ["x"]))["x"]!.data, pixels);
      let refused = 0;
      for (let byte = 0; byte < archive.length; byte++) {
        const damaged = archive.slice();
        damaged[byte]! ^= 1 << byte % 8;
        await Deno.writeFile(path, damaged);
        try {
          assertEquals((await readNpz(path, ["x"]))["x"]!.data, pixels, `byte ${byte}`);
        } catch (error) {
          if (!(error instanceof SyntaxError)) throw error;
          assertEquals(error.message.includes(path) && !error.message.includes("\n"), true, error.message);
          refused++;
        }
      }
      assertEquals(refused > archive.length / 2, true, `${refused} of ${archive.length}`);
    });
  }
});

Deno.test("readNpz() refuses an array that would unpack to gigabytes, before it does", async () => {
  const archive = zipSync({ "x.npy": npy("|u1", [64], new Uint8Array(64)) });
  const view = new DataView(archive.buffer);
  const directory = archive.findIndex((_, i) => i + 4 < archive.length && view.getUint32(i, true) === 0x02014b50);
  view.setUint32(22, 0x7fffffff, true);
  view.setUint32(directory + 24, 0x7fffffff, true);
  await withFiles({ "bomb.npz": archive }, async (root) => {
    await assertRejects(() => readNpz(join(root, "bomb.npz"), ["x"]), SyntaxError, "at most 67108864 bytes");
  });
});

Deno.test("readNpz() refuses zeros that are deflated a thousandfold", async () => {
  const zeros = zipSync({ "x.npy": npy("|u1", [100_000_000], new Uint8Array(100_000_000)) });
  await withFiles({ "bomb.npz": zeros }, async (root) => {
    await assertRejects(() => readNpz(join(root, "bomb.npz"), ["x"]), SyntaxError, "bomb.npz: x.npy");
  });
});

Deno.test({
  ...needs("medmnist", "loadMedmnist() reads PneumoniaMNIST: 4,708, 524 and 624 images"),
  fn: async () => {
    const sizes: number[] = [];
    for (const split of ["train", "val", "test"] as const) {
      const set = await loadMedmnist(join(REAL_DATA, "medmnist"), { split });
      sizes.push(set.cases.length);
      const image = await set.cases.at(-1)!.image();
      assertEquals([image.width, image.height, image.data.length], [28, 28, 784]);
    }
    assertEquals(sizes, [4708, 524, 624]);
  },
});
