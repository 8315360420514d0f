/** MIMIC-CXR-JPG: frontal radiographs, their reports and CheXpert labels. @module */
import { exists } from "../io/files.ts";
import { join } from "@std/path";
import { readCsv, rowNumber, type Table } from "./csv.ts";
import {
  drop,
  findFile,
  imageFile,
  makeDataset,
  MissingImageError,
  type MissingImages,
  type Tally,
} from "./dataset.ts";
import { labelReader } from "./labels.ts";
import { openReports, studyFolder } from "./reports.ts";
import type { Case, Dataset, LabelValue } from "./types.ts";

/** Options of {@linkcode loadMimicCxr}. */
export interface MimicCxrOptions {
  /** The official split. @default {"train"} */
  split?: "train" | "validate" | "test" | "all";
  /** Folder of `mimic_cxr_sectioned.csv` or of the report files. @default the root */
  reports?: string;
  /** Sections joined by a space to a case's text, those that are there. @default {["findings", "impression"]} */
  sections?: readonly string[];
  /** Views kept. @default {["AP", "PA"]} */
  views?: readonly string[];
  /** Which labeller's table is joined. @default {"chexpert"} */
  labeller?: "chexpert" | "negbio";
  /** What to do when an image is not there: part of the set is often at hand, so such rows are left out. @default {"drop"} */
  missing?: MissingImages;
}

/** Rows of a table by the value of a column. */
function byColumn(table: Table, column: string): Map<string, number> {
  const at = table.column(column);
  return new Map(table.rows.map((cells, row) => [cells[at]!.replace(/\.0$/, ""), row]));
}

/**
 * Reads MIMIC-CXR-JPG: `mimic-cxr-2.0.0-metadata.csv`, `-split.csv` and `-chexpert.csv` (each may be .gz), the images
 * `files/p10/p10000032/s50414267/DICOM.jpg`, and the reports.
 *
 * Labels are joined by study id, never by row, so a study missing from one table shifts nothing; a study without labels or
 * without text is left out and counted. Cases come in the metadata's order; an id is the DICOM's.
 *
 * @param root Folder of MIMIC-CXR-JPG.
 * @throws {SyntaxError} If a column is missing, or a label is outside 1, 0, -1 and blank.
 * @throws {Deno.errors.NotFound} If a table is not there, or with `missing: "throw"` an image.
 */
export async function loadMimicCxr(root: string, options: MimicCxrOptions = {}): Promise<Dataset> {
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
  const splitRows = byColumn(splits, "dicom_id");
  const splitColumn = splits.column("split");
  const labelRows = byColumn(labelTable, "study_id");
  const readLabels = labelReader(labelTable);
  const labels = new Map<string, LabelValue[]>();
  const tally: Tally = { read: 0, dropped: {} };
  const cases: Case[] = [];
  for (const [row, cells] of metadata.rows.entries()) {
    tally.read++;
    const [id, patientId, studyId] = [cells[image!]!, cells[patient!]!, cells[study!]!];
    const splitRow = splitRows.get(id);
    const labelRow = labelRows.get(studyId);
    const reason = !views.includes(cells[view!]!.trim())
      ? "not a frontal view"
      : splitRow === undefined
      ? "image without split"
      : split !== "all" && splits.rows[splitRow]![splitColumn] !== split
      ? "other split"
      : labelRow === undefined
      ? "study without labels"
      : undefined;
    if (reason !== undefined) {
      drop(tally, reason);
      continue;
    }
    const found = await report({ studyId, patientId });
    const text = sections.map((name) => found?.[name]).filter(Boolean).join(" ");
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
    if (!labels.has(studyId)) labels.set(studyId, readLabels(labelRow!));
    cases.push({ id, patientId, text, labels: labels.get(studyId)!, ...imageFile(path) });
  }
  return await makeDataset({ name: "mimic-cxr", classes: [], task: "pairs", cases, tally, split });
}
