/** MHIST: colorectal polyps, hyperplastic or sessile serrated. @module */
import { join } from "@std/path";
import { attributeReader } from "./attributes.ts";
import { readCsv } from "./csv.ts";
import { drop, findFile, imageFile, makeDataset, MISSING, type MissingImages, type Tally } from "./dataset.ts";
import { type ImagePlaces, indexImages, placeImage, stem } from "./images.ts";
import { classIndex } from "./classes.ts";
import type { Case, Dataset } from "./types.ts";
import { checkOptions, checkValue, oneOf, type Rules, TEXT, TEXTS } from "../platform/options.ts";

/** The two labels of `annotations.csv`: hyperplastic polyp, sessile serrated adenoma. */
const MHIST_LABELS: readonly string[] = ["HP", "SSA"];

/** Classes in words, in the order of {@linkcode MHIST_LABELS}. */
export const MHIST_CLASSES: readonly string[] = ["hyperplastic polyp", "sessile serrated adenoma"];

/** Options of {@linkcode loadMhist}. */
export interface MhistOptions {
  /** The official partition: 977 test images, 2,175 training images. @default {"test"} */
  split?: "test" | "train" | "all";
  /** What to do when an image is not there. @default {"throw"} */
  missing?: MissingImages;
  /** Further columns of the table that are kept with each case. @default {[]} */
  attributes?: readonly string[];
}

/** What they must be. */
export const MHIST_RULES: Rules<MhistOptions> = {
  split: oneOf(["test", "train", "all"]),
  missing: MISSING,
  attributes: TEXTS,
};

/**
 * Reads MHIST: `annotations.csv` (Image Name, Majority Vote Label, Partition) and `images/`.
 *
 * @param root Folder of the data set.
 * @throws {SyntaxError} If a column is missing, or a label is neither HP nor SSA.
 * @throws {Deno.errors.NotFound} If the table, or with `missing: "throw"` an image, is not there.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function loadMhist(root: string, options: MhistOptions = {}): Promise<Dataset> {
  checkOptions("read MHIST", options, MHIST_RULES);
  checkValue("read MHIST", "root", root, TEXT);
  const { split = "test", missing = "throw" } = options;
  const table = await readCsv(await findFile(root, ["annotations.csv"]));
  const [image, label, partition] = ["Image Name", "Majority Vote Label", "Partition"].map((name) =>
    table.column(name)
  );
  const attributesOf = attributeReader(table, options.attributes);
  const tally: Tally = { read: 0, dropped: {} };
  const expected = (name: string): string => join(root, "images", `${name}.png`);
  const lookup: ImagePlaces = { table, index: await indexImages(root, ["images"]), expected, missing, tally };
  const cases: Case[] = [];
  for (const [row, cells] of table.rows.entries()) {
    tally.read++;
    if (split !== "all" && cells[partition!]!.trim() !== split) {
      drop(tally, "other split");
      continue;
    }
    const target = classIndex(table, row, MHIST_LABELS, cells[label!]!.trim());
    const path = placeImage(lookup, { row, name: stem(cells[image!]!) });
    if (path !== undefined) cases.push({ id: cells[image!]!, target, ...imageFile(path), ...attributesOf(row) });
  }
  return await makeDataset({ name: "mhist", classes: MHIST_CLASSES, task: "multiclass", cases, tally, split });
}
