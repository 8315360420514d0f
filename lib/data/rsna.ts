/** RSNA Pneumonia Detection Challenge, stage 2. @module */
import { join } from "@std/path";
import { attributeReader } from "./attributes.ts";
import { readCsv, rowNumber, type Table } from "./csv.ts";
import { byCodePoint } from "../text/code_point_order.ts";
import { drop, findFile, imageFile, makeDataset, MISSING, type MissingImages, type Tally } from "./dataset.ts";
import { type ImagePlaces, indexImages, placeImage } from "./images.ts";
import { trainTestSplit } from "./splits.ts";
import type { Box, Case, Dataset } from "./types.ts";
import { checkOptions, checkValue, oneOf, type Rules, TEXT, TEXTS } from "../platform/options.ts";

/** Classes, as the paper's prompts name them. */
export const RSNA_CLASSES: readonly string[] = ["No Finding", "pneumonia"];

/**
 * Parts of the 26,684 patients. "test" and "train" are the zero-shot protocol's: 15 % and the rest of the patients sorted by
 * id (4,003 and 22,681). "mgca-*" are MGCA's detection split (16,010 / 5,337 / 5,337), "positives-*" the authors' (patients
 * with boxes only: 4,208 / 902 / 902). All with `random_state=0`; of the second split's two parts MGCA tests on the first,
 * the authors validate on it.
 */
export type RsnaSplit =
  | "all"
  | "test"
  | "train"
  | "mgca-train"
  | "mgca-val"
  | "mgca-test"
  | "positives-train"
  | "positives-val"
  | "positives-test";

/** All of them, the paper's first. */
export const RSNA_SPLITS: readonly RsnaSplit[] = [
  ...["test", "train", "all", "mgca-train", "mgca-val", "mgca-test"] as const,
  ...["positives-train", "positives-val", "positives-test"] as const,
];

/** Options of {@linkcode loadRsna}. */
export interface RsnaOptions {
  /** Part of the patients. @default {"test"} */
  split?: RsnaSplit;
  /** "normal" keeps of the patients without boxes only those of class "Normal". @default {"all"} */
  negatives?: "all" | "normal";
  /** What to do when an image is not there. @default {"throw"} */
  missing?: MissingImages;
  /** Columns of `stage_2_detailed_class_info.csv` that are kept with each case, such as "class". @default {[]} */
  attributes?: readonly string[];
}

/** What they must be. */
export const RSNA_RULES: Rules<RsnaOptions> = {
  split: oneOf(RSNA_SPLITS),
  negatives: oneOf(["all", "normal"]),
  missing: MISSING,
  attributes: TEXTS,
};

interface Patient {
  id: string;
  row: number;
  boxes: Box[];
}

function number(table: Table, row: number, column: string): number {
  const cell = table.rows[row]![table.column(column)]!.trim();
  const value = Number(cell);
  if (cell === "" || !Number.isFinite(value)) {
    throw new SyntaxError(
      `Cannot read "${table.path}" row ${rowNumber(row)} as "${column}" must be a number: it is ${
        JSON.stringify(cell)
      }`,
    );
  }
  return value;
}

/** The patients sorted by id, as `groupby("patientId")` gives them, with all their boxes. */
function readPatients(table: Table): Patient[] {
  const [idColumn, targetColumn] = [table.column("patientId"), table.column("Target")];
  const patients = new Map<string, Patient>();
  for (const [row, cells] of table.rows.entries()) {
    const id = cells[idColumn]!;
    const patient = patients.get(id) ?? { id, row, boxes: [] };
    patients.set(id, patient);
    const target = cells[targetColumn]!.trim();
    if (target !== "0" && target !== "1") {
      throw new SyntaxError(
        `Cannot read "${table.path}" row ${rowNumber(row)} as "Target" must be 0 or 1: it is ${JSON.stringify(target)}`,
      );
    }
    if (target === "0") continue;
    const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => number(table, row, name));
    patient.boxes.push({ x: x!, y: y!, width: width!, height: height!, label: RSNA_CLASSES[1]! });
  }
  return [...patients.values()].sort((a, b) => byCodePoint(a.id, b.id));
}

function choose(patients: Patient[], split: RsnaSplit): Patient[] {
  if (split === "all") return patients;
  if (split === "test" || split === "train") {
    return trainTestSplit(patients.length, { testSize: 0.15 })[split].map((i) => patients[i]!);
  }
  const [kind, part] = split.split("-");
  const pool = kind === "mgca" ? patients : patients.filter((patient) => patient.boxes.length);
  const outer = trainTestSplit(pool.length, { testSize: kind === "mgca" && pool.length > 10_674 ? 10_674 : 0.3 });
  if (part === "train") return outer.train.map((i) => pool[i]!);
  const { train: first, test: second } = trainTestSplit(outer.test.length, { testSize: 0.5 });
  const rows = part === (kind === "mgca" ? "test" : "val") ? first : second;
  return rows.map((i) => pool[outer.test[i]!]!);
}

/**
 * Reads RSNA Pneumonia: `stage_2_train_labels.csv` and `stage_2_train_images/*.dcm`.
 *
 * A patient with a box is class "pneumonia"; boxes are in pixels of the 1024 x 1024 image. Cases come in the order of
 * scikit-learn's split.
 *
 * @param root Folder of the unpacked challenge.
 * @throws {SyntaxError} If a column is missing or a value is not what it must be.
 * @throws {Deno.errors.NotFound} If the table, or with `missing: "throw"` an image, is not there.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function loadRsna(root: string, options: RsnaOptions = {}): Promise<Dataset> {
  checkOptions("read RSNA", options, RSNA_RULES);
  checkValue("read RSNA", "root", root, TEXT);
  const { split = "test", negatives = "all", missing = "throw" } = options;
  const table = await readCsv(await findFile(root, ["stage_2_train_labels.csv"]));
  const patients = readPatients(table);
  const tally: Tally = { read: patients.length, dropped: {} };
  const chosen = choose(patients, split);
  for (let i = chosen.length; i < patients.length; i++) drop(tally, "other split");
  const normal = negatives === "normal" ? await normalPatients(root) : undefined;
  const attributesOf = await patientAttributes(root, options.attributes);
  const folder = "stage_2_train_images";
  const index = await indexImages(root, [folder]);
  const expected = (name: string): string => join(root, folder, `${name}.dcm`);
  const lookup: ImagePlaces = { table, index, expected, missing, tally };
  const cases: Case[] = [];
  for (const { id, row, boxes } of chosen) {
    if (normal && !boxes.length && !normal.has(id)) {
      drop(tally, "neither normal nor pneumonia");
      continue;
    }
    const path = placeImage(lookup, { row, name: id });
    if (path === undefined) continue;
    cases.push({ id, patientId: id, target: boxes.length ? 1 : 0, boxes, ...imageFile(path), ...attributesOf(id) });
  }
  return await makeDataset({ name: "rsna", classes: RSNA_CLASSES, task: "multiclass", cases, tally, split });
}

const CLASS_INFO = ["stage_2_detailed_class_info.csv"];

/** Reads the named columns of a patient's first row of the class table. */
async function patientAttributes(
  root: string,
  names: readonly string[] = [],
): Promise<(patient: string) => Pick<Case, "attributes">> {
  if (names.length === 0) return () => ({});
  const table = await readCsv(await findFile(root, CLASS_INFO));
  const [attributesOf, id] = [attributeReader(table, names), table.column("patientId")];
  const rows = new Map(table.rows.map((cells, row) => [cells[id]!, row] as const).toReversed());
  return (patient) => rows.has(patient) ? attributesOf(rows.get(patient)!) : {};
}

async function normalPatients(root: string): Promise<Set<string>> {
  const table = await readCsv(await findFile(root, CLASS_INFO));
  const [id, kind] = [table.column("patientId"), table.column("class")];
  return new Set(table.rows.filter((cells) => cells[kind] === "Normal").map((cells) => cells[id]!));
}
