/** CheXpert 5x200: GLoRIA's 1,000 images with one finding each. @module */
import { exists } from "../io/files.ts";
import { join } from "@std/path";
import { attributeReader } from "./attributes.ts";
import { readCsv, rowNumber } from "./csv.ts";
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
import { labelAt, labelReader } from "./labels.ts";
import { type Case, CHEXPERT_LABELS, type Dataset } from "./types.ts";
import { checkOptions, checkValue, type Rules, TEXT, TEXTS } from "../platform/options.ts";

/** The five findings, in the order of the competition. */
export const CHEXPERT_5X200_CLASSES: readonly string[] = [
  "Atelectasis",
  "Cardiomegaly",
  "Consolidation",
  "Edema",
  "Pleural Effusion",
];

/** Options of {@linkcode loadChexpert5x200}. */
export interface Chexpert5x200Options {
  /** Folder the images' `Path` starts from. @default the root */
  images?: string;
  /** What to do when an image is not there. @default {"throw"} */
  missing?: MissingImages;
  /** Further columns of the table that are kept with each case. @default {[]} */
  attributes?: readonly string[];
}

/** What they must be. */
export const CHEXPERT_5X200_RULES: Rules<Chexpert5x200Options> = {
  images: TEXT,
  missing: MISSING,
  attributes: TEXTS,
};

/** Where `CheXpert-v1.0/train/patient1/...` may lie: as it is written, or without its first folder or two. */
function candidates(folder: string, path: string): string[] {
  const parts = path.split("/");
  const rest = parts.slice(1).join("/");
  return [rest, path, parts.slice(2).join("/"), `CheXpert-v1.0/${rest}`, `CheXpert-v1.0-small/${rest}`].map((name) =>
    join(folder, name)
  );
}

/**
 * Reads `chexpert_5x200.csv` as GLoRIA publishes it (Path, the label columns) and the CheXpert images it names.
 *
 * A case's class is the one of the five findings that is 1. Its id is `Path`, its patient the `patientN` within.
 *
 * @param root Folder of the CSV, and of the images unless `options.images` says otherwise.
 * @throws {SyntaxError} If a column is missing, or a row has not exactly one of the five findings.
 * @throws {Deno.errors.NotFound} If the table, or with `missing: "throw"` an image, is not there.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function loadChexpert5x200(root: string, options: Chexpert5x200Options = {}): Promise<Dataset> {
  checkOptions("read CheXpert 5x200", options, CHEXPERT_5X200_RULES);
  checkValue("read CheXpert 5x200", "root", root, TEXT);
  const { images = root, missing = "throw" } = options;
  const table = await readCsv(await findFile(root, ["chexpert_5x200.csv", "CheXpert-v1.0/chexpert_5x200.csv"]));
  const pathColumn = table.column("Path");
  const columns = CHEXPERT_5X200_CLASSES.map((name) => table.column(name));
  const labels = CHEXPERT_LABELS.every((name) => table.columns.includes(name)) ? labelReader(table) : undefined;
  const attributesOf = attributeReader(table, options.attributes);
  const tally: Tally = { read: 0, dropped: {} };
  const cases: Case[] = [];
  for (const [row, cells] of table.rows.entries()) {
    tally.read++;
    const positive = columns.map((column) => labelAt(table, { row, column }) === 1);
    if (positive.filter(Boolean).length !== 1) {
      const positives = CHEXPERT_5X200_CLASSES.filter((_, i) => positive[i]).join(", ") || "none";
      throw new SyntaxError(
        `Cannot read "${table.path}" row ${
          rowNumber(row)
        } as exactly one of the five findings must be 1: ${positives} is`,
      );
    }
    const id = cells[pathColumn]!;
    const tried = candidates(images, id);
    let path = missing === "ignore" ? tried[0] : undefined;
    for (const name of tried) if (path === undefined && await exists(name)) path = name;
    if (path === undefined) {
      if (missing === "throw") throw new MissingImageError(table.path, rowNumber(row), tried[0]!);
      drop(tally, "image missing");
      continue;
    }
    const patientId = id.match(/patient\d+/)?.[0];
    cases.push({
      id,
      target: positive.indexOf(true),
      ...imageFile(path),
      ...attributesOf(row),
      ...(patientId !== undefined && { patientId }),
      ...(labels && { labels: labels(row) }),
    });
  }
  return await makeDataset({
    name: "chexpert5x200",
    classes: CHEXPERT_5X200_CLASSES,
    task: "multiclass",
    cases,
    tally,
    split: "all",
  });
}
