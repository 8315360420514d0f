/** Where the images of a published layout are. @module */
import { exists } from "../io/files.ts";
import { join } from "@std/path";
import { rowNumber, type Table } from "./csv.ts";
import { drop, listImages, MissingImageError, type MissingImages, type Tally } from "./dataset.ts";

/** Image files by name without folder and extension. */
export type ImageIndex = ReadonlyMap<string, string>;

/** The name of a file without its folder and extension. */
export function stem(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1).replace(/\.[^.]*$/, "");
}

/**
 * Finds every image below those of `folders` that exist, at any depth.
 *
 * @param root Folder of the data set.
 * @param folders Folders within it; the first that has an image of some name wins.
 */
export async function indexImages(root: string, folders: readonly string[]): Promise<ImageIndex> {
  const index = new Map<string, string>();
  for (const folder of folders) {
    const path = join(root, folder);
    if (!await exists(path)) continue;
    for (const image of await listImages(path)) if (!index.has(stem(image))) index.set(stem(image), image);
  }
  return index;
}

/** What {@linkcode placeImage} needs to know of a row's table. */
export interface ImagePlaces {
  /** The table the rows are of. */
  table: Table;
  /** From {@linkcode indexImages}. */
  index: ImageIndex;
  /** Path an image would have, for messages and for `missing: "ignore"`. */
  expected: (name: string) => string;
  /** What to do when it is not there. */
  missing: MissingImages;
  /** Where a row left out is counted. */
  tally: Tally;
}

/**
 * The path of one row's image; undefined if the row is left out, which is then counted.
 *
 * @param lookup The table, its images, and what to do without one.
 * @param entry The row, and its image's name without extension.
 * @throws {Deno.errors.NotFound} With `missing: "throw"`, naming the table, the row and the image.
 */
export function placeImage(lookup: ImagePlaces, entry: { row: number; name: string }): string | undefined {
  const indexed = lookup.index.get(entry.name);
  if (indexed !== undefined) return indexed;
  const path = lookup.expected(entry.name);
  if (lookup.missing === "ignore") return path;
  if (lookup.missing === "throw") throw new MissingImageError(lookup.table.path, rowNumber(entry.row), path);
  drop(lookup.tally, "image missing");
  return undefined;
}
