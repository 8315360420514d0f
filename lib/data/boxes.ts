/** Boxes and masks that stand beside a CSV of images. @module */
import { isAbsolute, join } from "@std/path";
import { ImageError, readImage } from "../image/read.ts";
import { checkOptions, checkValue, needed, type Rules, TEXT, TEXTS } from "../platform/options.ts";
import { readCsv, rowNumber, type Table } from "./csv.ts";
import { imageSizes, type ImageSizesOptions } from "./image_sizes.ts";
import type { BinaryMask, Box, Case } from "./types.ts";

/** Which columns of a CSV of boxes mean what; one row a box. */
export interface BoxesOptions {
  /** The CSV, within the root, or absolute; or its table, where it is read already. */
  csv: string | Table;
  /** Column that names the image. */
  image: string;
  /** Column of the images' CSV with the same names. @default the image's path */
  key?: string;
  /** Column of what the box holds. @default {"label"} */
  label?: string;
  /** Columns of left, top, width and height, in pixels of the image. @default {["x", "y", "w", "h"]} */
  columns?: readonly [string, string, string, string];
}

/** What they must be. */
export const BOXES_RULES: Rules<BoxesOptions> = {
  csv: needed({
    must: "a text or a table",
    allows: (value) => typeof value === "string" || (typeof value === "object" && "rows" in value!),
  }),
  image: needed(TEXT),
  key: TEXT,
  label: TEXT,
  columns: TEXTS,
};

/**
 * Reads the boxes of a CSV, by the name of their image.
 *
 * @throws {SyntaxError} If a column is missing, or a box is not four finite numbers with a width and a height.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function readBoxes(root: string, options: BoxesOptions): Promise<Map<string, Box[]>> {
  checkOptions("read boxes", options, BOXES_RULES);
  checkValue("read boxes", "root", root, TEXT);
  const { csv, image, label = "label", columns = ["x", "y", "w", "h"] } = options;
  const table = typeof csv === "string" ? await readCsv(isAbsolute(csv) ? csv : join(root, csv)) : csv;
  const [name, kind, ...columnIndices] = [image, label, ...columns].map((column) => table.column(column));
  const boxes = new Map<string, Box[]>();
  for (const [row, cells] of table.rows.entries()) {
    const numbers = columnIndices.map((place) => cells[place]!.trim() === "" ? NaN : Number(cells[place]));
    const [x = NaN, y = NaN, width = NaN, height = NaN] = numbers;
    if (!numbers.every(Number.isFinite) || width <= 0 || height <= 0) {
      throw new SyntaxError(
        `Cannot read "${table.path}" row ${rowNumber(row)} as a box must be four numbers, the last two above 0: ` +
          `it is ${JSON.stringify(columnIndices.map((place) => cells[place]).join(","))}`,
      );
    }
    const list = boxes.get(cells[name!]!) ?? [];
    list.push({ x, y, width, height, label: cells[kind!]! });
    boxes.set(cells[name!]!, list);
  }
  return boxes;
}

/** The error for a box that is none of its image's. */
export class BoxPlaceError extends RangeError {
  /** Name shown in stack traces. */
  override name = "BoxPlaceError";
}

/**
 * Refuses boxes that stand out of their image by more than a pixel, as those in another picture's pixels do: hand-drawn ones are often
 * rounded outwards.
 *
 * @param image Its size, pixels, and the case's id for the message.
 * @throws {BoxPlaceError} If one does, or has no area.
 */
export function checkBoxes(boxes: readonly Box[], image: { id: string; width: number; height: number }): void {
  const outside = boxes.find(({ x, y, width, height }) => {
    const isInside = x >= -1 && y >= -1 && x + width <= image.width + 1 && y + height <= image.height + 1;
    return !isInside || !(width > 0) || !(height > 0);
  });
  if (!outside) return;
  const { x, y, width, height } = outside;
  throw new BoxPlaceError(
    `Cannot use case "${image.id}" as its boxes must lie within ${image.width} x ${image.height} pixels: ` +
      `one is x ${x}, y ${y}, width ${width}, height ${height}`,
  );
}

/**
 * As {@linkcode checkBoxes} for the boxes of many cases, before any image is decoded: sizes are taken from the files' headers. Images
 * whose header does not tell are passed over.
 *
 * @throws {BoxPlaceError} Of the first case with such a box.
 */
export async function checkPlacedBoxes(
  cases: readonly Pick<Case, "id" | "path" | "part" | "boxes">[],
  options: ImageSizesOptions = {},
): Promise<void> {
  const boxed = cases.filter(({ boxes = [] }) => boxes.length > 0);
  const sizes = await imageSizes(boxed.map(({ part, path }) => part ?? path), options);
  for (const [i, size] of sizes.entries()) if (size) checkBoxes(boxed[i]!.boxes!, { id: boxed[i]!.id, ...size });
}

/**
 * Reads an image as a mask: a pixel is set where its first sample is above half of the greatest value.
 *
 * @param path An image of any kind.
 * @throws {SyntaxError} If it is none that can be read.
 */
export async function readMask(path: string): Promise<BinaryMask> {
  checkValue("read a mask", "its path", path, TEXT);
  const { width, height, channels, bitDepth, data } = await readImage(path).catch((error) => {
    if (!(error instanceof ImageError)) throw error;
    throw new SyntaxError(error.message, { cause: error }); // a mask is no image that may be left out
  });
  const half = bitDepth === 8 ? 127 : 32767;
  const mask = new Uint8Array(width * height);
  for (let i = 0; i < mask.length; i++) mask[i] = data[i * channels]! > half ? 1 : 0;
  return { width, height, data: mask };
}
