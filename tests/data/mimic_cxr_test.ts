import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { loadMimicCxr } from "../../lib/data/mimic_cxr.ts";
import { reportSections } from "../../lib/data/reports.ts";
import { CHEXPERT_LABELS } from "../../lib/data/types.ts";
import { describeDataset } from "../../lib/data/dataset.ts";
import { CASES, needsCase } from "../cases.ts";
import mit from "./fixtures/sections.json" with { type: "json" };
import { gzip, png, withFiles } from "./helpers.ts";

// Ten images of seven studies: lateral, other split, no labels, no text, no image, and two frontal views of one study.
const metadata = `dicom_id,subject_id,study_id,ViewPosition
d1,10000001,501,PA
d2,10000001,501,LATERAL
d3,10000001,502,AP
d4,10000002,503,AP
d5,10000002,504,PA
d6,11000003,505,PA
d7,11000003,506,AP
d8,11000003,506,AP
d9,11000003,507,
d10,11000003,508,PA
`;
const split = "dicom_id,study_id,subject_id,split\n" + [
  ["d10", "508"],
  ["d1", "501"],
  ["d2", "501"],
  ["d4", "503"],
  ["d5", "504"],
  ["d6", "505"],
  ["d7", "506"],
  ["d8", "506"],
  ["d9", "507"],
].map(([d, s]) => `${d},${s},1,train`).join("\n") + "\nd3,502,1,test\n";
// Written in another order than the images, and without study 503: joined by row they would all be shifted.
const labels = `subject_id,study_id,${CHEXPERT_LABELS.join(",")}\n` + [
  ["506", "Edema"],
  ["505", "Fracture"],
  ["504", "Pneumonia"],
  ["502", "Edema"],
  ["501", "Atelectasis"],
  ["508", "Edema"],
].map(([s, positive]) =>
  `1,${s},${CHEXPERT_LABELS.map((l) => l === positive ? "1.0" : l === "Support Devices" ? "-1.0" : "").join(",")}`
)
  .join("\n") +
  "\n";
const reports = `study,impression,findings,last_paragraph,comparison
s501,No acute process.,"Lungs are clear.
 Heart is normal.",,
s502,Edema.,,,
s503,Clear.,,,
s504,,,,
s505,,Rib fracture.,,
s506,"Mild   edema.",,,
s508,Edema.,,,
`;
const image = (patient: string, study: string, id: string): string =>
  `files/p${patient.slice(0, 2)}/p${patient}/s${study}/${id}.jpg`;
const images = {
  [image("10000001", "501", "d1")]: png(1),
  [image("10000001", "502", "d3")]: png(3),
  [image("10000002", "503", "d4")]: png(4),
  [image("10000002", "504", "d5")]: png(5),
  [image("11000003", "505", "d6")]: png(6),
  [image("11000003", "506", "d7")]: png(7),
  [image("11000003", "506", "d8")]: png(8),
};
const tables = {
  "mimic-cxr-2.0.0-metadata.csv": metadata,
  "mimic-cxr-2.0.0-split.csv": split,
  "mimic-cxr-2.0.0-chexpert.csv": labels,
};

Deno.test("loadMimicCxr() keeps frontal views and joins split, labels and text by their keys", async () => {
  await withFiles({ ...tables, ...images, "mimic_cxr_sectioned.csv": reports }, async (root) => {
    const set = await loadMimicCxr(root);
    assertEquals(set.cases.map((c) => [c.id, c.patientId, c.text]), [
      ["d1", "10000001", "Lungs are clear. Heart is normal. No acute process."],
      ["d6", "11000003", "Rib fracture."],
      ["d7", "11000003", "Mild edema."],
      ["d8", "11000003", "Mild edema."],
    ]);
    const positive = set.cases.map((c) => CHEXPERT_LABELS[c.labels!.indexOf(1)]);
    assertEquals(positive, ["Atelectasis", "Fracture", "Edema", "Edema"]);
    assertEquals(set.cases[0]!.labels!.at(-1), -1);
    assertEquals(set.summary, {
      read: 10,
      kept: 4,
      dropped: {
        "not a frontal view": 2,
        "other split": 1,
        "study without labels": 1,
        "study without text": 1,
        "image missing": 1,
      },
    });
    assertEquals(set.split.name, "train");
    const { cases } = await loadMimicCxr(root, { attributes: ["ViewPosition"] });
    assertEquals(cases.map((c) => c.attributes!["ViewPosition"]), ["PA", "PA", "AP", "AP"]);
    assertEquals((await set.cases[3]!.image()).data[0], 8);
  });
});

Deno.test("loadMimicCxr() reads other splits, views and sections, and gzipped tables", async () => {
  const zipped: Record<string, Uint8Array> = {};
  for (const [name, text] of Object.entries(tables)) zipped[`${name}.gz`] = await gzip(text);
  await withFiles({ ...zipped, ...images, "r/mimic_cxr_sectioned.csv.gz": await gzip(reports) }, async (root) => {
    const options = { reports: join(root, "r") };
    assertEquals((await loadMimicCxr(root, { ...options, split: "test" })).cases.map((c) => c.id), ["d3"]);
    const set = await loadMimicCxr(root, { ...options, split: "all", sections: ["impression"], missing: "ignore" });
    assertEquals(set.cases.map((c) => [c.id, c.text]), [
      ["d1", "No acute process."],
      ["d3", "Edema."],
      ["d7", "Mild edema."],
      ["d8", "Mild edema."],
      ["d10", "Edema."],
    ]);
    await assertRejects(() => loadMimicCxr(root, { ...options, missing: "throw" }), Deno.errors.NotFound, "row 11");
  });
});

Deno.test("loadMimicCxr() reads report files when there is no table", async () => {
  const text =
    "                 FINAL REPORT\n EXAMINATION:  CHEST\n\n FINDINGS:\n \n Clear lungs.\n\n IMPRESSION: \n Normal.\n";
  await withFiles({ ...tables, ...images, "files/p10/p10000001/s501.txt": text }, async (root) => {
    const set = await loadMimicCxr(root);
    assertEquals(set.cases.map((c) => [c.id, c.text]), [["d1", "Clear lungs. Normal."]]);
  });
});

Deno.test("loadMimicCxr() refuses a label outside 1, 0, -1 and blank, and names a missing table", async () => {
  const bad = labels.replace("1.0,", "yes,");
  const files = { ...tables, ...images, "mimic_cxr_sectioned.csv": reports, "mimic-cxr-2.0.0-chexpert.csv": bad };
  await withFiles(files, async (root) => {
    const error = await assertRejects(() => loadMimicCxr(root), SyntaxError, '"yes"') as Error;
    assertEquals(error.message.includes("row 2"), true);
  });
  const { "mimic-cxr-2.0.0-split.csv": _, ...rest } = tables;
  await withFiles(rest, async (root) => {
    await assertRejects(() => loadMimicCxr(root), Deno.errors.NotFound, "mimic-cxr-2.0.0-split.csv");
  });
});

Deno.test("reportSections() splits at headings in capitals, joins repeats and knows the variants", () => {
  const report = "EXAM: CHEST (PA AND LAT)\n\nINDICATION:  Fever at 10:30, see note.\nFINDINGS: One.\n  Two.\n" +
    "CONCLUSION: Clear.\nFINDINGS: Three.\nNOT a heading: no\n";
  assertEquals(reportSections(report), {
    exam: "CHEST (PA AND LAT)",
    indication: "Fever at 10:30, see note.",
    findings: "One. Two. Three. NOT a heading: no",
    impression: "Clear.",
  });
  assertEquals(reportSections("no headings at all"), {});
});

Deno.test("loadMimicCxr() keeps each image once, joins a study's labels and counts what it merged", async () => {
  const repeated = {
    ...tables,
    "mimic-cxr-2.0.0-metadata.csv": metadata + "d1,10000001,501,PA\n",
    "mimic-cxr-2.0.0-split.csv": split + "d1,501,1,train\n",
    "mimic-cxr-2.0.0-chexpert.csv": labels +
      ["1.0", "0.0", "", "-1.0"].map((cell, i) =>
        `1,501,${CHEXPERT_LABELS.map((l) => l === "Edema" ? cell : l === "Atelectasis" && i ? "0.0" : "").join(",")}\n`
      ).join(""),
  };
  await withFiles({ ...repeated, ...images, "mimic_cxr_sectioned.csv": reports }, async (root) => {
    const set = await loadMimicCxr(root);
    assertEquals(set.cases.map((c) => c.id), ["d1", "d6", "d7", "d8"]);
    const known = Object.fromEntries(CHEXPERT_LABELS.map((name, i) => [name, set.cases[0]!.labels![i]]));
    assertEquals([known["Atelectasis"], known["Edema"], known["Support Devices"], known["Fracture"]], [1, 1, -1, null]);
    assertEquals([set.summary.dropped["repeated id"], set.summary.merged], [1, { "label rows of a study": 4 }]);
    assertEquals(describeDataset(set).includes("merged 4 (label rows of a study); split of 4"), true);
  });
  const conflict = { ...tables, "mimic-cxr-2.0.0-split.csv": split + "d1,501,1,test\n" };
  await withFiles({ ...conflict, ...images, "mimic_cxr_sectioned.csv": reports }, async (root) => {
    await assertRejects(
      () => loadMimicCxr(root),
      SyntaxError,
      'row 12 as an image must be in one split: "d1" is in "train"',
    );
  });
  await withFiles({ ...tables, ...images, "mimic_cxr_sectioned.csv": reports + "s501,Other.,,,\n" }, async (root) => {
    await assertRejects(() => loadMimicCxr(root), SyntaxError, 'a study must be there once: "s501" was before');
  });
});

/** Texts of the case's studies; the reports are made up. */
const MIMIC_TEXTS: Record<string, string> = {
  d0001: "Cardiac size cannot be evaluated. Large left pleural effusion is new. Large left pleural effusion",
  d0002: "Cardiac size cannot be evaluated. Large left pleural effusion is new. Large left pleural effusion",
  d0006: "Unchanged. No change.",
  d0007: "Right-sided ICD lead. No pneumothorax.", // the last paragraph
  d0009: "AP: lines in place. NOTE: 2 leads.",
  d0010: "PA and lateral. Stable.",
  d0011: "First set. Second set. One. Two.",
  d0012: "lower-case heading. also.",
  d0013: "ETT 4 cm above carina.", // REPORT:
  d0014: "Lungs are clear. No acute process.", // PA AND LATERAL CHEST RADIOGRAPH:
  d0015: "AP VIEW: tubes unchanged. Stable.",
  d0016: "Frontal and lateral views. Heart size normal.", // under COMPARISON:
  d0017: "Clear lungs. Normal study.", // CHEST:, SUMMARY:
};

Deno.test({
  ...needsCase("mimic_rows", "loadMimicCxr() loses no text, repeats no id and says what it merged"),
  async fn() {
    const set = await loadMimicCxr(`${CASES}/mimic_rows`, { split: "all", missing: "ignore" });
    const ids = set.cases.map((c) => c.id);
    assertEquals([ids.length, new Set(ids).size], [13, 13]);
    assertEquals([set.summary.dropped["repeated id"], set.summary.merged], [1, { "label rows of a study": 1 }]);
    assertEquals(Object.fromEntries(set.cases.map((c) => [c.id, c.text])), MIMIC_TEXTS);
  },
});

/** Of how many reports of each kind MIT-LCP's parser finds the same sections; where not, it is that ... */
const AGREEMENT: Record<string, string> = {
  "ordinary": "99 of 100", // ... of a report without findings, it takes the one paragraph for the last
  "heading names the view": "10 of 10",
  "one letter wrong": "10 of 10",
  "joint heading": "10 of 10",
  "last paragraph": "7 of 10", // ... it starts the last paragraph anew where a heading ends its line
  "under the comparison": "9 of 10", // ... likewise
  "small letters": "0 of 10", // ... it knows headings in capitals alone
  "twice": "0 of 10", // ... it takes the last of several sections, where ours are joined
  "another word": "0 of 10", // ... it does not read SUMMARY and REPORT
  "no heading": "10 of 10",
};

Deno.test("reportSections() agrees with MIT-LCP's parser on ordinary reports, and loses no text of any", () => {
  const actual: Record<string, string> = {};
  for (const [kind, list] of Object.entries(mit.kinds)) {
    const same = list.filter(({ report, sections }) => {
      const ours = reportSections(report);
      const names = ["impression", "findings", "last_paragraph", "comparison"];
      if (kind !== "ordinary") assertEquals(names.some((name) => ours[name]), true, report);
      return names.every((name) => ours[name] === (sections as Record<string, string>)[name]);
    });
    actual[kind] = `${same.length} of ${list.length}`;
  }
  assertEquals(actual, AGREEMENT);
});
