import { assert, assertEquals, assertThrows } from "@std/assert";
import { captioned, CHEST_CAPTIONS, chexpertClasses, fewShot, parseCaptions } from "../../lib/data/captions.ts";
import { type Case, CHEXPERT_LABELS, type Dataset, type LabelValue } from "../../lib/data/types.ts";

const image = (): never => {
  throw new Error("no image is read");
};

function multilabel(rows: readonly (readonly number[])[]): Dataset {
  const cases = rows.map((targets, i): Case => ({ id: `case ${i}`, targets, image }));
  const summary = { read: rows.length, kept: rows.length, dropped: {} };
  return {
    name: "set",
    classes: ["Edema", "Mass", "Lung_Nodule"],
    task: "multilabel",
    cases,
    summary,
    split: { name: "all", size: rows.length, hash: "" },
  };
}

Deno.test("captioned() puts a case's classes into a template drawn by seed and case, and labels it by them", () => {
  const set = multilabel([[1, 0, 0], [1, 1, 0], [1, 1, 1], [0, 0, 0]]);
  const templates = { findings: ["There is {c}."], none: ["Clear."] };
  const { cases } = captioned(set, { templates });
  assertEquals(cases.map(({ text }) => text), [
    "There is edema.",
    "There is edema and mass.",
    "There is edema, mass and lung nodule.",
    "Clear.",
  ]);
  assertEquals(cases.map(({ labels }) => labels), [[1, 0, 0], [1, 1, 0], [1, 1, 1], [0, 0, 0]]);
  const many = multilabel(Array.from({ length: 40 }, () => [1, 0, 0]));
  const texts = (seed: number, set = many): string[] => captioned(set, { seed }).cases.map(({ text }) => text!);
  assertEquals(new Set(texts(1)).size, CHEST_CAPTIONS.findings.length);
  assertEquals(texts(1), texts(1));
  assert(texts(1).join() !== texts(2).join());
  assertEquals(texts(1, { ...many, cases: many.cases.toReversed() }), texts(1).toReversed());
  assertThrows(() => captioned({ ...set, cases: [{ id: "x", image }] }), TypeError, 'case "x" as it must have a class');
});

Deno.test("parseCaptions() tells templates of findings from those of none, and refuses text without {c}", () => {
  assertEquals(parseCaptions("a {c}\r\n\n nothing \nb {c}\n", "t"), {
    findings: ["a {c}", "b {c}"],
    none: ["nothing"],
  });
  assertEquals(parseCaptions("a {c}", "t").none, CHEST_CAPTIONS.none);
  assertThrows(
    () => parseCaptions("a\nb\n", "t.txt"),
    SyntaxError,
    '"t.txt" as caption templates as a line must hold {c}: it has 2 lines',
  );
});

Deno.test("fewShot() draws as many a class, by seed and whatever the order", () => {
  const set = multilabel(Array.from({ length: 60 }, (_, i) => [i % 3 === 0 ? 1 : 0, i % 5 === 0 ? 1 : 0, 0]));
  const chosen = fewShot(set, 4, 7);
  const count = (f: (one: Case) => boolean): number => chosen.filter(f).length;
  assertEquals(count(({ targets }) => targets![0] === 1), 4);
  assert(count(({ targets }) => targets![1] === 1) >= 4);
  assertEquals(count(({ targets }) => targets!.every((x) => x === 0)), 4);
  const ids = (cases: readonly Case[]): string[] => cases.map(({ id }) => id).sort();
  assertEquals(ids(fewShot({ ...set, cases: set.cases.toReversed() }, 4, 7)), ids(chosen));
  assert(ids(fewShot(set, 4, 8)).join() !== ids(chosen).join());
  assertEquals(fewShot(set, 100).length, 60);
  assertThrows(() => fewShot(set, 0), RangeError, "shots must be a positive integer");
});

Deno.test("chexpertClasses() takes positive labels for classes, and captions no finding as none", () => {
  const row = (...positive: string[]) =>
    CHEXPERT_LABELS.map((name, i) => positive.includes(name) ? 1 : [0, -1, null][i % 3]!);
  const rows = [row("Edema", "Pneumonia"), row("No Finding"), row()] as (readonly LabelValue[])[];
  const set = multilabel(rows.map(() => []));
  const cases = set.cases.map(({ targets: _, ...item }, i): Case => ({ ...item, labels: rows[i]! }));
  const classified = chexpertClasses({ ...set, classes: [], cases });
  assertEquals([classified.classes.length, classified.task], [13, "multilabel"]);
  const templates = { findings: ["{c}"], none: ["none"] };
  assertEquals(captioned(classified, { templates }).cases.map(({ text }) => text), [
    "edema and pneumonia",
    "none",
    "none",
  ]);
  assertThrows(() => chexpertClasses(set), TypeError, "it must have the 14 CheXpert labels");
});
