/** Cases of dense tasks in three parts, and the share of their labels that is used. @module */
import { basename, dirname, extname } from "@std/path";
import { imageFile, listImages, uniqueIds } from "../data/dataset.ts";
import { isTablePath, loadPairs, type PairsOptions } from "../data/pairs.ts";
import { drawnParts, SPLIT_WORDS, statedParts, type ThreeParts } from "../data/splits.ts";
import type { Case, Dataset } from "../data/types.ts";
import { notThere, system } from "../platform/system.ts";
import { deriveSeed, mulberry32, shuffled } from "../tensor/random.ts";
import {
  checkOptions,
  COUNT,
  FRACTION,
  INTEGER,
  listOf,
  needed,
  RECORD,
  type Rules,
  TEXT,
} from "../platform/options.ts";

/** What a dense task reads. */
export interface DenseData extends ThreeParts {
  /** Name of the data set. */
  name: string;
  /** Classes of the boxes; one for masks. */
  classes: readonly string[];
  /** Whether the images are drawn. */
  synthetic: boolean;
  /** Cases left out, by reason. */
  dropped: Record<string, number>;
}

/** What the loaders of both tasks take. */
export interface DenseDataOptions {
  /** Folder of a published data set. */
  root?: string;
  /** Columns of a CSV. */
  columns?: PairsOptions;
  /** Column of a CSV that says train, validation (val, valid) or test of a row. @default {drawn by patient} */
  splitColumn?: string;
  /** Parts that must have a case. @default {all three} */
  needed?: readonly (keyof ThreeParts)[];
  /** Training cases of the synthetic set; a quarter as many to validate, half as many to test. @default {400} */
  count?: number;
  /** Side of synthetic images, pixels. @default {64} */
  size?: number;
  /** Seed of drawn images and of splits that the data set does not bring. @default {1} */
  seed?: number;
}

/** What they must be. */
export const DENSE_DATA_RULES: Rules<DenseDataOptions> = {
  root: TEXT,
  columns: RECORD,
  splitColumn: TEXT,
  needed: listOf(["train", "validation", "test"]),
  count: COUNT,
  size: COUNT,
  seed: INTEGER,
};

/** The data, if every part that is needed has a case. @throws {RangeError} If one has none. */
export function checkParts(data: DenseData, { needed = ["train", "validation", "test"] }: DenseDataOptions): DenseData {
  for (const part of needed) {
    if (data[part].length === 0) {
      throw new RangeError(`Cannot use "${data.name}" as its ${part} part must have a case: it has 0`);
    }
  }
  return data;
}

/** Three parts of a synthetic set, none of which shares an image with another. */
export function syntheticParts(
  draw: (count: number, seed: number, options: { size: number }) => Dataset,
  { seed = 1, count = 400, size = 64 }: DenseDataOptions,
): ThreeParts {
  const part = (n: number, offset: number): Case[] => draw(Math.max(2, n), 3 * seed + offset, { size }).cases;
  return { train: part(count, 0), validation: part(count >> 2, 1), test: part(count >> 1, 2) };
}

/** The error for a data set that needs something more than its name. */
export class NotGivenError extends RangeError {
  /** Name shown in stack traces. */
  override name = "NotGivenError";
  /** What is missing. */
  readonly input: "root" | "boxes" | "masks";

  /**
   * An error about a data set.
   *
   * @param dataset Its name or path.
   * @param input What is missing.
   */
  constructor(dataset: string, input: "root" | "boxes" | "masks") {
    const what = { root: "its folder", boxes: "the CSV of boxes", masks: "the column or the folder of masks" }[input];
    super(`Cannot use "${dataset}" as ${what} must be given: it is not`);
    this.input = input;
  }
}

/** The folder of a published set. @throws {NotGivenError} If it is not given. */
export function rootOf(dataset: string, { root }: DenseDataOptions): string {
  if (root === undefined) throw new NotGivenError(dataset, "root");
  return root;
}

/** The cases of a CSV, and those it leaves out, by reason. */
export async function readCases(
  csv: string,
  { columns, splitColumn }: DenseDataOptions,
): Promise<{ name: string; cases: Case[]; dropped: Record<string, number> }> {
  const { name, cases, summary } = await loadPairs(csv, {
    chexpert: false,
    name: basename(csv, extname(csv)),
    uniqueImages: true,
    ...(splitColumn === undefined ? {} : { label: splitColumn, classes: Object.keys(SPLIT_WORDS) }),
    ...columns,
  });
  return { name, cases, dropped: { ...summary.dropped } };
}

/**
 * The parts of a CSV's cases: those that a column names, else 70, 15 and 15 % by patient.
 *
 * @throws {RangeError} If the column puts a patient in two of them.
 */
export function partsOf(cases: readonly Case[], { splitColumn, seed = 1 }: DenseDataOptions): ThreeParts {
  return splitColumn === undefined
    ? drawnParts(cases, seed)
    : statedParts(cases, ({ target }) => Object.values(SPLIT_WORDS)[target!]!);
}

/** Options of {@linkcode labelFraction}. */
export interface LabelFractionOptions {
  /** Share of the cases, above 0 and at most 1. */
  fraction: number;
  /** Seed of the draw. @default {1} */
  seed?: number;
}

/** What they must be. */
const FRACTION_RULES: Rules<LabelFractionOptions> = {
  fraction: needed(FRACTION),
  seed: INTEGER,
};

/**
 * A share of the cases, drawn by seed: the first of one shuffled order, so that 1 % lies within 10 %, and that within all.
 * At least one case is left; they keep their order.
 *
 * @param cases Training cases.
 * @throws {RangeError} If the fraction is not above 0 and at most 1.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function labelFraction<T>(cases: readonly T[], options: LabelFractionOptions): T[] {
  checkOptions("draw labels", options, FRACTION_RULES);
  const { fraction, seed = 1 } = options;
  const all = cases.map((_, i) => i);
  const count = Math.max(1, Math.round(cases.length * fraction));
  const chosen = shuffled(all, mulberry32(deriveSeed(seed, "label fraction"))).slice(0, count);
  return chosen.sort((a, b) => a - b).map((i) => cases[i]!);
}

/**
 * Images to predict on: a folder (at any depth), or one file. Ids are the names without extension, as the challenges have them.
 *
 * @throws {RangeError} If the folder holds no image, or the file is a table.
 */
export async function imagesToPredict(path: string): Promise<Case[]> {
  const { isDirectory } = await system.stat(path).catch(notThere(path));
  if (!isDirectory && isTablePath(path)) {
    throw new RangeError(
      `Cannot predict on "${path}" as it must be an image or a folder of images: it is a table; name ${
        JSON.stringify(dirname(path))
      } if its images lie there`,
    );
  }
  const paths = isDirectory ? await listImages(path) : [path];
  if (paths.length === 0) throw new RangeError(`Cannot predict on "${path}" as it must hold an image: it holds none`);
  return uniqueIds(paths.map((file) => ({ id: basename(file, extname(file)), ...imageFile(file) })));
}
