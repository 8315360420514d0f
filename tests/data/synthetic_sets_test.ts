import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { CHEXPERT_LABELS, type Dataset } from "../../lib/data/types.ts";
import { caseSeed, type SyntheticSetName } from "../../lib/data/synthetic/seeds.ts";
import { chexpert5xN, CHEXPERT_5, rsnaLike, siimLike, trainingSet } from "../../lib/data/synthetic/sets.ts";

async function sha256(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const SETS: Record<string, Dataset> = {
  train: trainingSet(200, 1),
  chexpert: chexpert5xN(12, 1),
  rsna: rsnaLike(60, 1),
  siim: siimLike(60, 1),
};

Deno.test("the synthetic sets have distinct ids, and summaries and hashes that fit their cases", async () => {
  const ids = Object.values(SETS).flatMap((set) => set.cases.map((item) => item.id));
  assertEquals(new Set(ids).size, 200 + 60 + 60 + 60);
  assertNotEquals(trainingSet(3, 1).cases[0]!.id, trainingSet(3, 2).cases[0]!.id);
  for (const set of Object.values(SETS)) {
    assertEquals(set.split.hash, await sha256(set.cases.map((item) => item.id).join("\n")));
    assertEquals([set.split.size, set.summary.read, set.summary.kept], Array(3).fill(set.cases.length));
  }
});

Deno.test("caseSeed() never gives two cases one seed, within a set or between sets", () => {
  const names: SyntheticSetName[] = ["training", "chexpert", "rsna", "siim", "pretraining"];
  const seen = new Set<number>();
  for (const set of names) for (let index = 0; index < 20000; index++) seen.add(caseSeed(5, { set, index }));
  assertEquals(seen.size, 5 * 20000);
});

Deno.test("the sets' images come out the same each time they are asked for", async () => {
  const item = SETS["train"]!.cases[5]!;
  assertEquals(await item.image(), await item.image());
  assertEquals(await item.image(), await trainingSet(200, 1).cases[5]!.image());
  assertEquals((await chexpert5xN(1, 1, { size: 128 }).cases[0]!.image()).width, 128);
});

Deno.test("trainingSet() gives a report and 14 labels a case, and both kinds of No Finding", () => {
  const none = CHEXPERT_LABELS.indexOf("No Finding");
  for (const item of SETS["train"]!.cases) {
    assert(item.text!.length > 10);
    assertEquals(item.labels!.length, 14);
  }
  const normal = SETS["train"]!.cases.filter((item) => item.labels![none] === 1).length / 200;
  assert(normal > 0.2 && normal < 0.45, `${normal}`);
});

Deno.test("chexpert5xN() shows exactly one of the five, n of each", () => {
  const { cases, classes } = SETS["chexpert"]!;
  assertEquals(classes, CHEXPERT_5);
  for (let target = 0; target < 5; target++) assertEquals(cases.filter((item) => item.target === target).length, 12);
  for (const item of cases) {
    classes.forEach((name, index) => {
      const label = item.labels![CHEXPERT_LABELS.indexOf(name)];
      if (index === item.target) assert(label === 1 || label === -1);
      else assertNotEquals(label, 1, `${name} in: ${item.text}`);
    });
  }
});

Deno.test("rsnaLike() is half pneumonia with boxes, a quarter normal, a quarter other findings without boxes", () => {
  const { cases, classes } = SETS["rsna"]!;
  assertEquals(classes, ["No Finding", "pneumonia"]);
  const none = CHEXPERT_LABELS.indexOf("No Finding"), pneumonia = CHEXPERT_LABELS.indexOf("Pneumonia");
  assertEquals(cases.filter((item) => item.target === 1).length, 30);
  for (const item of cases) {
    assertEquals(item.boxes!.length > 0, item.target === 1);
    assertEquals([1, -1].includes(item.labels![pneumonia] ?? 0) || item.target === 0, true);
  }
  const normal = cases.filter((item) => item.target === 0 && item.labels![none] === 1).length;
  assert(normal >= 12 && normal <= 15, `${normal} of 30 negatives read as normal`);
});

Deno.test("siimLike() is half pneumothorax, each case with a mask that is empty exactly for negatives", async () => {
  const { cases } = SETS["siim"]!;
  assertEquals(cases.filter((item) => item.target === 1).length, 30);
  for (const item of cases) {
    const mask = await item.mask!();
    assertEquals(mask.data.length, 64 * 64);
    assertEquals(mask.data.some((value) => value === 1), item.target === 1);
  }
});

Deno.test("the synthetic sets refuse a size below 1", () => {
  assertThrows(() => rsnaLike(0, 1), RangeError, "must be a whole number >= 1: current value is 0");
});
