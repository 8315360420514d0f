/** MIMIC-CXR-JPG: frontal radiographs, their reports and CheXpert labels. @module */
import { exists } from "../io/files.ts";
import { join } from "@std/path";
import { attributeReader } from "./attributes.ts";
import { readCsv, rowNumber, type Table } from "./csv.ts";
import {
  drop,
  findFile,
  imageFile,
  makeDataset,
  MISSING,
  MissingImageError,
  type MissingImages,
  type Tally,
} from "./dataset.ts";
import { labelReader } from "./labels.ts";
import { openReports, studyFolder } from "./reports.ts";
import type { Case, Dataset, LabelValue } from "./types.ts";
import { checkOptions, oneOf, type Rules, TEXT, TEXTS } from "../platform/options.ts";

/** Options of {@linkcode loadMimicCxr}. */
export interface MimicCxrOptions {
  /** The official split. @default {"train"} */
  split?: "train" | "validate" | "test" | "all";
  /** Folder of `mimic_cxr_sectioned.csv` or of the report files. @default the root */
  reports?: string;
  /**
   * Sections joined by a space to a case's text, those that are there. A report with neither findings nor impression gives
   * its last paragraph, or without one its comparison, where such a report is often written. @default {["findings", "impression"]}
   */
  sections?: readonly string[];
  /** Views kept. @default {["AP", "PA"]} */
  views?: readonly string[];
  /** Which labeller's table is joined. @default {"chexpert"} */
  labeller?: "chexpert" | "negbio";
  /** What to do when an image is not there: part of the set is often at hand, so such rows are left out. @default {"drop"} */
  missing?: MissingImages;
  /** Columns of the metadata that are kept with each case, such as "ViewPosition". @default {[]} */
  attributes?: readonly string[];
}

/** What they must be. */
export const MIMIC_CXR_RULES: Rules<MimicCxrOptions> = {
  split: oneOf(["train", "validate", "test", "all"]),
  reports: TEXT,
  sections: TEXTS,
  views: TEXTS,
  labeller: oneOf(["chexpert", "negbio"]),
  missing: MISSING,
  attributes: TEXTS,
};

/** Rows of a table by the value of a column. */
function byColumn(table: Table, column: string): Map<string, number[]> {
  const index = table.column(column);
  const rows = new Map<string, number[]>();
  for (const [row, cells] of table.rows.entries()) {
    const value = cells[index]!.replace(/\.0$/, "");
    const known = rows.get(value);
    if (known) known.push(row);
    else rows.set(value, [row]);
  }
  return rows;
}

/** The split of each image. @throws {SyntaxError} If an image is in two. */
function splitsOf(table: Table): Map<string, string> {
  const column = table.column("split");
  const splits = new Map<string, string>();
  for (const [id, rows] of byColumn(table, "dicom_id")) {
    const [split, ...others] = rows.map((row) => table.rows[row]![column]!);
    const other = others.findIndex((name) => name !== split);
    if (other >= 0) {
      throw new SyntaxError(
        `Cannot read "${table.path}" row ${
          rowNumber(rows[other + 1]!)
        } as an image must be in one split: "${id}" is in ` +
          `"${split}" and in "${others[other]}"`,
      );
    }
    splits.set(id, split!);
  }
  return splits;
}

/** Labels of several rows of one study: positive before uncertain before negative before blank, as mentions are joined. */
function joinLabels(rows: readonly (readonly LabelValue[])[]): LabelValue[] {
  return rows[0]!.map((_, i) => {
    const values = rows.map((labels) => labels[i]!);
    return ([1, -1, 0] as const).find((value) => values.includes(value)) ?? null;
  });
}

/** Why an image of the split `own` is left out; undefined where it is wanted. */
function otherSplit(own: string | undefined, wanted: string): string | undefined {
  if (own === undefined) return "image without split";
  return wanted !== "all" && own !== wanted ? "other split" : undefined;
}

/** A case's text, or "" when the report has none. */
function textOf(report: Record<string, string> = {}, sections: readonly string[]): string {
  const text = sections.map((name) => report[name]).filter(Boolean).join(" ");
  if (text || report["findings"] || report["impression"]) return text;
  return report["last_paragraph"] ?? report["comparison"] ?? "";
}

/**
 * Reads MIMIC-CXR-JPG: `mimic-cxr-2.0.0-metadata.csv`, `-split.csv` and `-chexpert.csv` (each may be .gz), the images
 * `files/p10/p10000032/s50414267/DICOM.jpg`, and the reports.
 *
 * Labels are joined by study id, never by row, so a study missing from one table shifts nothing; a study without labels or
 * without text is left out and counted, a study's further rows of labels are merged and counted. Cases come in the metadata's
 * order; an id is the DICOM's, and of an image's rows the first counts.
 *
 * @param root Folder of MIMIC-CXR-JPG.
 * @throws {SyntaxError} If a column is missing, a label is outside 1, 0, -1 and blank, or an image is in two splits.
 * @throws {Deno.errors.NotFound} If a table is not there, or with `missing: "throw"` an image.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function loadMimicCxr(root: string, options: MimicCxrOptions = {}): Promise<Dataset> {
  checkOptions("read MIMIC-CXR", options, MIMIC_CXR_RULES);
  const { split = "train", sections = ["findings", "impression"], views = ["AP", "PA"], missing = "drop" } = options;
  const file = async (name: string): Promise<Table> =>
    await readCsv(await findFile(root, [`mimic-cxr-2.0.0-${name}.csv`]));
  const metadata = await file("metadata");
  const splits = await file("split");
  const labelTable = await file(options.labeller ?? "chexpert");
  const report = await openReports(options.reports ?? root);
  const [image, patient, study, view] = ["dicom_id", "subject_id", "study_id", "ViewPosition"].map((n) =>
    metadata.column(n)
  );
  const attributesOf = attributeReader(metadata, options.attributes);
  const splitOf = splitsOf(splits);
  const labelRows = byColumn(labelTable, "study_id");
  const readLabels = labelReader(labelTable);
  const labels = new Map<string, LabelValue[]>();
  const tally: Tally = { read: 0, dropped: {} };
  const cases: Case[] = [];
  let mergedRows = 0;
  for (const [row, cells] of metadata.rows.entries()) {
    tally.read++;
    const [id, patientId, studyId] = [cells[image!]!, cells[patient!]!, cells[study!]!];
    const labelled = labelRows.get(studyId);
    const isFrontal = views.includes(cells[view!]!.trim());
    const reason = !isFrontal ? "not a frontal view" : otherSplit(splitOf.get(id), split);
    if (reason !== undefined || labelled === undefined) {
      drop(tally, reason ?? "study without labels");
      continue;
    }
    const text = textOf(await report({ studyId, patientId }), sections);
    if (!text) {
      drop(tally, "study without text");
      continue;
    }
    const path = join(root, studyFolder({ studyId, patientId }), `${id}.jpg`);
    if (missing !== "ignore" && !await exists(path)) {
      if (missing === "throw") throw new MissingImageError(metadata.path, rowNumber(row), path);
      drop(tally, "image missing");
      continue;
    }
    if (!labels.has(studyId)) {
      labels.set(studyId, joinLabels(labelled.map(readLabels)));
      if (labelled.length > 1) mergedRows += labelled.length - 1;
    }
    cases.push({ id, patientId, text, labels: labels.get(studyId)!, ...imageFile(path), ...attributesOf(row) });
  }
  if (mergedRows > 0) tally.merged = { "label rows of a study": mergedRows };
  return await makeDataset({ name: "mimic-cxr", classes: [], task: "pairs", cases, tally, split });
}
