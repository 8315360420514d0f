/** SIIM-ACR Pneumothorax Segmentation. @module */
import { join } from "@std/path";
import { readCsv, rowNumber } from "./csv.ts";
import { errorMessage } from "../platform/error_message.ts";
import { drop, findFile, imageFile, makeDataset, MISSING, type MissingImages, type Tally } from "./dataset.ts";
import { type ImagePlaces, indexImages, placeImage } from "./images.ts";
import { checkRle, decodeRle, type MaskSize, uniteMasks } from "./rle.ts";
import { sampleRows } from "./splits.ts";
import type { BinaryMask, Case, Dataset } from "./types.ts";
import { checkOptions, checkValue, COUNT, oneOf, type Rules, TEXT } from "../platform/options.ts";

/** Classes, as the paper's prompts name them. */
export const SIIM_CLASSES: readonly string[] = ["No Finding", "pneumothorax"];

/** Options of {@linkcode loadSiim}. */
export interface SiimOptions {
  /**
   * "test": `sample(n=int(0.3 * images), random_state=42)` of the images in the file's order, 3,614 of 12,047; "train": the
   * rest, in the file's order. @default {"test"}
   */
  split?: "test" | "train" | "all";
  /** Masks of an image with several lesions: all of them, or as the authors' script only the first row's. @default {"union"} */
  lesions?: "union" | "first";
  /** Side of the masks, pixels: the challenge's images are square. @default {1024} */
  maskSide?: number;
  /** What to do when an image is not there. @default {"throw"} */
  missing?: MissingImages;
}

/** What they must be. */
export const SIIM_RULES: Rules<SiimOptions> = {
  split: oneOf(["test", "train", "all"]),
  lesions: oneOf(["union", "first"]),
  maskSide: COUNT,
  missing: MISSING,
};

/** An image with its rows of the table, one a lesion. */
interface SiimImage {
  id: string;
  rows: [SiimRow, ...SiimRow[]];
}

/** A row's place and runs. */
interface SiimRow {
  row: number;
  runs: string;
}

const TABLES = ["stage_2_train.csv", "train-rle.csv", "stage_2_train-rle.csv", "siim/train-rle.csv"];
const FOLDERS = ["dicom-images-train", "stage_2_images", "siim/dicom-images-train", "images", "train"];

/**
 * Reads SIIM pneumothorax: `train-rle.csv` or `stage_2_train.csv` (ImageId, EncodedPixels), and the DICOM files at any depth
 * of `dicom-images-train` or `stage_2_images`.
 *
 * An image is positive unless its first row's runs are "-1". Rows of the same image are counted as dropped duplicates; their
 * masks are united, or only the first is taken.
 *
 * @param root Folder of the unpacked challenge.
 * @throws {SyntaxError} If a column is missing, or runs are none of a mask of that side.
 * @throws {Deno.errors.NotFound} If the table, or with `missing: "throw"` an image, is not there.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function loadSiim(root: string, options: SiimOptions = {}): Promise<Dataset> {
  checkOptions("read SIIM", options, SIIM_RULES);
  checkValue("read SIIM", "root", root, TEXT);
  const { split = "test", lesions = "union", maskSide = 1024, missing = "throw" } = options;
  const table = await readCsv(await findFile(root, TABLES));
  const pixels = table.column("EncodedPixels");
  const idColumn = table.column("ImageId");
  const tally: Tally = { read: 0, dropped: {} };
  const images = new Map<string, SiimImage>();
  for (const [row, cells] of table.rows.entries()) {
    tally.read++;
    const [id, runs] = [cells[idColumn]!, cells[pixels]!.trim()];
    const image = images.get(id);
    if (image) {
      image.rows.push({ row, runs });
      drop(tally, "further row of an image");
    } else images.set(id, { id, rows: [{ row, runs }] });
  }
  const all = [...images.values()];
  const sampled = sampleRows(all.length, { size: Math.floor(0.3 * all.length), seed: 42 });
  const test = new Set(sampled);
  const chosen = split === "all"
    ? all
    : split === "test"
    ? sampled.map((i) => all[i]!)
    : all.filter((_, i) => !test.has(i));
  for (let i = chosen.length; i < all.length; i++) drop(tally, "other split");
  const expected = (name: string): string => join(root, FOLDERS[0]!, `${name}.dcm`);
  const lookup: ImagePlaces = { table, index: await indexImages(root, FOLDERS), expected, missing, tally };
  const cases: Case[] = [];
  const maskSize = { width: maskSide, height: maskSide };
  for (const { id, rows } of chosen) {
    const [{ row, runs }] = rows;
    const path = placeImage(lookup, { row, name: id });
    if (path === undefined) continue;
    const used = lesions === "first" ? [rows[0]] : rows;
    for (const { row, runs } of used) checkRuns(runs, { path: table.path, row, maskSize });
    const mask = async (): Promise<BinaryMask> =>
      await Promise.resolve(uniteMasks(used.map(({ runs }) => decodeRle(runs, maskSize))));
    cases.push({ id, target: runs === "-1" ? 0 : 1, mask, maskSize, ...imageFile(path) });
  }
  return await makeDataset({ name: "siim", classes: SIIM_CLASSES, task: "multiclass", cases, tally, split });
}

/** Refuses runs that are none of a mask, told by their row: they are decoded much later. */
function checkRuns(runs: string, { path, row, maskSize }: { path: string; row: number; maskSize: MaskSize }): void {
  try {
    checkRle(runs, maskSize);
  } catch (error) {
    throw new SyntaxError(`Cannot read "${path}" row ${rowNumber(row)}: ${errorMessage(error)}`, { cause: error });
  }
}
