/** What every data set does with its rows: count them, look for their images, hash the split. @module */
import { byCodePoint } from "../text/code_point_order.ts";
import { join } from "@std/path";
import type { Rule } from "../platform/options.ts";
import { didYouMean } from "../platform/nearest.ts";
import { readImage } from "../image/read.ts";
import type { Case, Dataset } from "./types.ts";
import { exists } from "../io/files.ts";
import { newSha256 } from "../platform/sha256.ts";
import { NotFound, system } from "../platform/system.ts";
import { CALL, checkRecords, checkValue, hasField, needed, oneOf, RECORD, TEXT, TEXTS } from "../platform/options.ts";

/** What a data set must be. */
export const DATASET: Rule = {
  must: "a data set, as loadPairs() and loadFolder() give it",
  type: "object",
  allows: (set) => hasField(set, "cases"),
};

/** What a case must have, whatever else it has. */
export const CASE_RULES: Readonly<Record<string, Rule>> = { id: needed(TEXT), patientId: TEXT };
/** What it must have to be read. */
export const IMAGE_RULES: Readonly<Record<string, Rule>> = { image: needed(CALL), path: TEXT, part: RECORD };

/**
 * What to do with a row whose image is not there: stop and name the row, leave the row out and count it, or do not look
 * (reading the image then fails).
 */
export type MissingImages = "throw" | "drop" | "ignore";

/** What it must be. */
export const MISSING: Rule = oneOf(["throw", "drop", "ignore"]);

/** Counts rows as they are read, and why some are left out. */
export interface Tally {
  /** Rows seen. */
  read: number;
  /** Rows left out, by reason. */
  dropped: Record<string, number>;
  /** Rows merged with an earlier one, by what they are. */
  merged?: Record<string, number>;
}

/** Counts rows left out for `reason`, one more by default. */
export function drop(tally: Tally, reason: string, count = 1): void {
  tally.dropped[reason] = (tally.dropped[reason] ?? 0) + count;
}

/** SHA-256, in hex, of case ids joined by newlines. */
export function hashIds(ids: readonly string[]): Promise<string> {
  checkValue("hash ids", "they", ids, TEXTS);
  return Promise.resolve(newSha256().update(ids.join("\n")).digest("hex"));
}

/**
 * A data set out of its parts: `name`, `classes`, `task`, the chosen cases, the tally and the split's name. Of cases with one
 * id the first is kept, the others are counted as dropped.
 */
export async function makeDataset(
  parts: Pick<Dataset, "name" | "classes" | "task" | "cases" | "score"> & { tally: Tally; split: string },
): Promise<Dataset> {
  const { tally, split, ...set } = parts;
  const known = new Set<string>();
  const cases = set.cases.filter(({ id }) => {
    if (known.has(id)) drop(tally, "repeated id");
    return !known.has(id) && known.add(id);
  });
  const hash = await hashIds(cases.map((item) => item.id));
  const { read, dropped, merged } = tally;
  const summary = { read, kept: cases.length, dropped, ...(merged ? { merged } : {}) };
  return { ...set, cases, summary, split: { name: split, size: cases.length, hash } };
}

/** One line: `rsna test: 26684 rows read, 4003 kept; dropped 22681 (other split); sha256 0a1b...`. */
export function describeDataset(set: Dataset): string {
  checkValue("describe a data set", "it", set, DATASET);
  const { read, kept, dropped, merged } = set.summary;
  const counts = (of: Record<string, number>): string =>
    Object.entries(of).map(([reason, count]) => `${count} (${reason})`).join(", ");
  return `${set.name} ${set.split.name}: ${read} read, ${kept} kept, dropped ${counts(dropped) || "none"}` +
    `${merged ? `, merged ${counts(merged)}` : ""}; ` +
    `split of ${set.split.size}, sha256 ${set.split.hash}`;
}

/** The error for a data set's folder that lacks a file. */
export class MissingFileError extends NotFound {
  /** Name shown in stack traces. */
  override name = "MissingFileError";
  /** The folder. */
  readonly root: string;
  /** Files of which it must hold one. */
  readonly names: readonly string[];

  /**
   * An error about a data set's folder.
   *
   * @param root The folder.
   * @param names Files of which it must hold one.
   */
  constructor(root: string, names: readonly string[]) {
    super(`Cannot read "${root}" as it must hold ${names.join(" or ")} (or the same with .gz): it has none`);
    this.root = root;
    this.names = names;
  }
}

/**
 * The first of `names` that is under `root`, each tried as it is and with ".gz".
 *
 * @throws {Deno.errors.NotFound} If none is, naming the folder and every name tried.
 */
export async function findFile(root: string, names: readonly string[]): Promise<string> {
  checkValue("read a data set", "its folder", root, TEXT);
  for (const name of names) {
    for (const path of [join(root, name), join(root, `${name}.gz`)]) if (await exists(path)) return path;
  }
  throw new MissingFileError(root, names);
}

/** As {@linkcode findFile}, but undefined when there is none. */
export async function findFileOrNone(root: string, names: readonly string[]): Promise<string | undefined> {
  try {
    return await findFile(root, names);
  } catch (error) {
    if (error instanceof NotFound) return undefined;
    throw error;
  }
}

/** The image of a case that is a file of its own, read when it is asked for. */
export function imageFile(path: string): Required<Pick<Case, "image" | "path">> {
  checkValue("read an image", "its path", path, TEXT);
  return { path, image: () => readImage(path) };
}

/** The error for a row whose image, or mask, is not there. */
export class MissingImageError extends NotFound {
  /** Name shown in stack traces. */
  override name = "MissingImageError";
  /** The table's file. */
  readonly table: string;
  /** Its number. */
  readonly row: number;
  /** Where the image was looked for. */
  readonly image: string;

  /**
   * An error about a table's row.
   *
   * @param table The table's file.
   * @param row Its number.
   * @param image Where the image was looked for.
   * @param what What it is of the row.
   */
  constructor(table: string, row: number, image: string, what: "image" | "mask" = "image") {
    super(`Cannot read "${table}" row ${row} as its ${what} must exist: "${image}" does not`);
    this.table = table;
    this.row = row;
    this.image = image;
  }
}

/** The error for a class outside those of a data set. */
export class ClassError extends SyntaxError {
  /** Name shown in stack traces. */
  override name = "ClassError";
  /** The class that the file names. */
  readonly given: string;
  /** Those there are. */
  readonly classes: readonly string[];

  /**
   * An error about a class.
   *
   * @param message One line up to what is wrong; the nearest class is added.
   * @param given The class that the file names.
   * @param classes Those there are.
   */
  constructor(message: string, given: string, classes: readonly string[]) {
    super(`${message}${didYouMean(given, classes)}`);
    this.given = given;
    this.classes = classes;
  }
}

/** Extensions that are taken for images when a folder is searched. */
const IMAGE = /\.(jpe?g|png|tiff?|webp|dcm|dicom)$/i;

/** Extensions of pictures that no reader here takes. */
const OTHER = /\.(gif|bmp|heic|heif|avif|jp2|j2k|jxl|nii(\.gz)?|nrrd)$/i;

/**
 * Every image file under `folder`, at any depth, sorted by path; hidden names are passed over.
 *
 * @param onOther Takes the path of each picture, by its extension, that is passed over as it cannot be read.
 */
export async function listImages(folder: string, onOther?: (path: string) => void): Promise<string[]> {
  checkValue("list images", "their folder", folder, TEXT);
  const paths: string[] = [];
  const walk = async (path: string): Promise<void> => {
    for await (const entry of system.readDir(path)) {
      if (entry.name.startsWith(".")) continue;
      const child = join(path, entry.name);
      if (entry.isDirectory) await walk(child);
      else if (IMAGE.test(entry.name)) paths.push(child);
      else if (OTHER.test(entry.name)) onOther?.(child);
    }
  };
  await walk(folder);
  return paths.sort(byCodePoint);
}

/** Makes ids unique: the second "a" becomes "a#2". */
export function uniqueIds(cases: Case[]): Case[] {
  checkRecords("name cases", "cases", cases, CASE_RULES);
  const seen = new Map<string, number>();
  return cases.map((item) => {
    const count = (seen.get(item.id) ?? 0) + 1;
    seen.set(item.id, count);
    return count === 1 ? item : { ...item, id: `${item.id}#${count}` };
  });
}
