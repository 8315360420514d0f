/** NIH ChestX-ray14. @module */
import { join } from "@std/path";
import { attributeReader } from "./attributes.ts";
import { readCsv, rowNumber, type Table } from "./csv.ts";
import {
  drop,
  findFile,
  findFileOrNone,
  imageFile,
  makeDataset,
  MISSING,
  type MissingImages,
  type Tally,
} from "./dataset.ts";
import { type ImagePlaces, indexImages, placeImage, stem } from "./images.ts";
import type { Box, Case, Dataset } from "./types.ts";
import { checkOptions, checkValue, oneOf, type Rules, TEXT, TEXTS } from "../platform/options.ts";

/** The 14 findings, in the order of the data set's paper (Wang et al. 2017). */
export const NIH_CLASSES: readonly string[] = [
  "Atelectasis",
  "Cardiomegaly",
  "Effusion",
  "Infiltration",
  "Mass",
  "Nodule",
  "Pneumonia",
  "Pneumothorax",
  "Consolidation",
  "Edema",
  "Emphysema",
  "Fibrosis",
  "Pleural_Thickening",
  "Hernia",
];

/** Options of {@linkcode loadNih}. */
export interface NihOptions {
  /**
   * "test": the images of the official `test_list.txt`, 25,596; "validation": the first 20 % of them in the table's order,
   * 5,119; "train": the official `train_val_list.txt`; "all": the table; "boxes": those of the box list.
   * @default {"validation"}
   */
  split?: "validation" | "test" | "train" | "all" | "boxes";
  /** What to do when an image is not there. @default {"throw"} */
  missing?: MissingImages;
  /** Further columns of the table that are kept with each case. @default {[]} */
  attributes?: readonly string[];
}

/** What they must be. */
export const NIH_RULES: Rules<NihOptions> = {
  split: oneOf(["validation", "test", "train", "all", "boxes"]),
  missing: MISSING,
  attributes: TEXTS,
};

/** The 0/1 targets of a cell such as "Edema|Mass", all 0 for "No Finding". */
function targets(table: Table, row: number, cell: string): number[] {
  const out = NIH_CLASSES.map(() => 0);
  for (const name of cell.split("|")) {
    const index = NIH_CLASSES.indexOf(name.trim());
    if (index >= 0) out[index] = 1;
    else if (name.trim() !== "No Finding") {
      throw new SyntaxError(
        `Cannot read "${table.path}" row ${rowNumber(row)} as its findings must be among NIH's 14 or "No Finding": ` +
          `one is ${JSON.stringify(name)}`,
      );
    }
  }
  return out;
}

/** Boxes by image, in pixels of the published 1024 x 1024 images; the list's "Infiltrate" is "Infiltration". */
async function readBoxes(path: string | undefined): Promise<Map<string, Box[]>> {
  const boxes = new Map<string, Box[]>();
  if (path === undefined) return boxes;
  const table = await readCsv(path);
  const [image, label] = [table.column("Image Index"), table.column("Finding Label")];
  const first = table.columns.findIndex((name) => name.startsWith("Bbox [x")); // "Bbox [x", "y", "w", "h]" or quoted whole
  const columns = first < 0
    ? ["x", "y", "w", "h"].map((name) => table.column(name))
    : [0, 1, 2, 3].map((i) => first + i);
  for (const [row, cells] of table.rows.entries()) {
    const [x, y, width, height] = columns.map((place) => Number(cells[place] || NaN));
    if (![x, y, width, height].every(Number.isFinite)) {
      throw new SyntaxError(
        `Cannot read "${path}" row ${rowNumber(row)} as a box must be four numbers: it is ${
          JSON.stringify(columns.map((place) => cells[place]).join(","))
        }`,
      );
    }
    const name = cells[label] === "Infiltrate" ? "Infiltration" : cells[label]!;
    const list = boxes.get(cells[image]!) ?? [];
    boxes.set(cells[image]!, [...list, { x: x!, y: y!, width: width!, height: height!, label: name }]);
  }
  return boxes;
}

async function readList(root: string, name: string): Promise<{ path: string; names: string[] }> {
  const path = await findFile(root, [name]);
  return { path, names: (await Deno.readTextFile(path)).split(/\r?\n/).map((line) => line.trim()).filter(Boolean) };
}

/** The table's rows of a split. */
async function rowsOf(
  split: NonNullable<NihOptions["split"]>,
  root: string,
  table: Table,
  boxes: ReadonlyMap<string, Box[]>,
): Promise<number[]> {
  const column = table.column("Image Index");
  const images = table.rows.map((cells) => cells[column]!);
  const all = [...images.keys()];
  if (split === "all") return all;
  if (split === "boxes") return all.filter((row) => boxes.has(images[row]!));
  const { path, names } = await readList(root, split === "train" ? "train_val_list.txt" : "test_list.txt");
  const known = new Set(images);
  const line = names.findIndex((name) => !known.has(name));
  if (line >= 0) {
    throw new SyntaxError(
      `Cannot read "${path}" line ${line + 1} as its image must be in "${table.path}": it is ${
        JSON.stringify(names[line])
      }`,
    );
  }
  const listed = new Set(names);
  const rows = all.filter((row) => listed.has(images[row]!));
  return split === "validation" ? rows.slice(0, Math.floor(0.2 * names.length)) : rows; // as the authors' preparation does
}

/**
 * Reads NIH ChestX-ray14: `Data_Entry_2017.csv` or `Data_Entry_2017_v2020.csv`, `test_list.txt`, `train_val_list.txt`,
 * `BBox_List_2017.csv` if there, and the images below `images*`.
 *
 * @param root Folder of the data set.
 * @returns Multi-label cases, in the table's order.
 * @throws {SyntaxError} If a column is missing, or a finding is unknown.
 * @throws {Deno.errors.NotFound} If a file is not there, or a listed image is not in the table.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function loadNih(root: string, options: NihOptions = {}): Promise<Dataset> {
  checkOptions("read NIH", options, NIH_RULES);
  checkValue("read NIH", "root", root, TEXT);
  const { split = "validation", missing = "throw" } = options;
  const table = await readCsv(await findFile(root, ["Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv"]));
  const boxFile = ["BBox_List_2017.csv", "BBox_List_2017_Official_NIH.csv"];
  const boxes = await readBoxes(
    split === "boxes" ? await findFile(root, boxFile) : await findFileOrNone(root, boxFile),
  );
  const columns = {
    image: table.column("Image Index"),
    findings: table.column("Finding Labels"),
    patient: table.column("Patient ID"),
  };
  const attributesOf = attributeReader(table, options.attributes);
  const tally: Tally = { read: table.rows.length, dropped: {} };
  const rows = await rowsOf(split, root, table, boxes);
  for (let i = rows.length; i < table.rows.length; i++) drop(tally, "other split");
  const folders = ["images", ...Array.from({ length: 12 }, (_, i) => `images_${String(i + 1).padStart(3, "0")}`)];
  const expected = (name: string): string => join(root, "images", `${name}.png`);
  const lookup: ImagePlaces = { table, index: await indexImages(root, folders), expected, missing, tally };
  const cases: Case[] = [];
  for (const row of rows) {
    const cells = table.rows[row]!;
    const id = cells[columns.image]!;
    const path = placeImage(lookup, { row, name: stem(id) });
    if (path === undefined) continue;
    const caseBoxes = boxes.get(id);
    cases.push({
      id,
      patientId: cells[columns.patient]!,
      targets: targets(table, row, cells[columns.findings]!),
      ...imageFile(path),
      ...attributesOf(row),
      ...(caseBoxes && { boxes: caseBoxes }),
    });
  }
  return await makeDataset({
    name: "nih",
    classes: NIH_CLASSES,
    task: "multilabel",
    score: "min-max",
    cases,
    tally,
    split,
  });
}
