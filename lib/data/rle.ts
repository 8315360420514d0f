/** Run-length encoded masks: SIIM's relative runs, Kaggle's absolute ones, both column by column. @module */
import { checkRecord, checkValue, COUNT, needed, RECORD, type Rules, TEXT } from "../platform/options.ts";
import type { BinaryMask } from "./types.ts";
import { mapTuple } from "../platform/map_tuple.ts";

/** Size of a mask, pixels. */
export interface MaskSize {
  /** Columns. */
  width: number;
  /** Rows. */
  height: number;
}

/** How the runs of a text are written. */
export interface RleOptions extends MaskSize {
  /**
   * "relative" (SIIM-ACR): each start counts from the end of the last run. "absolute" (most Kaggle sets): each start counts
   * from the image's first pixel. @default {"relative"}
   */
  starts?: "relative" | "absolute";
  /** Number of the image's first pixel in absolute starts. @default {1} */
  first?: number;
}

function refuse(what: string, actual: string): never {
  throw new RangeError(`Cannot decode RLE as ${what}: ${actual}`);
}

function checkSize({ width, height }: MaskSize): void {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1 || width * height > 2 ** 28) {
    refuse("sides must be whole, and pixels from 1 to 2^28", `current size is ${width} x ${height}`);
  }
}

/** Positions, counted down the columns, and lengths of the runs of a text. */
function* readRuns(text: string, options: RleOptions): Generator<readonly [position: number, length: number]> {
  const { width, height, starts = "relative", first = 1 } = options;
  const words = text.trim().split(/\s+/);
  if (words.length === 1 && (words[0] === "" || words[0] === "-1")) return;
  if (words.length % 2) refuse("values must be pairs of start and length", `there are ${words.length} values`);
  let end = 0;
  for (let i = 0; i < words.length; i += 2) {
    const [start, length] = mapTuple(
      [words[i]!, words[i + 1]!],
      (word) =>
        /^\d{1,15}$/.test(word)
          ? Number(word)
          : refuse("values must be whole numbers >= 0", `one is ${JSON.stringify(word)}`),
    );
    if (length === 0) refuse("runs must have a length", `run ${i / 2 + 1} has 0`);
    const position = starts === "relative" ? end + start : start - first;
    if (position < end) refuse("runs must follow one another", `run ${i / 2 + 1} starts at ${start}`);
    end = position + length;
    if (end > width * height) refuse(`runs must end within ${width} x ${height} pixels`, `one ends at ${end}`);
    yield [position, length];
  }
}

/** Refuses a text that {@linkcode decodeRle} refuses, without decoding it. @throws {RangeError} As there. */
export function checkRle(text: string, options: RleOptions): void {
  checkSize(options);
  for (const _ of readRuns(text, options));
}

/**
 * Decodes pairs of start and length, separated by white space. "-1" and the empty text are the empty mask.
 *
 * Source: the `mask_functions.py` of the SIIM-ACR Pneumothorax challenge (transposed there: a column is a row).
 *
 * @param text The runs.
 * @param options Size of the image, and how starts are written.
 * @returns The mask, row-major.
 * @throws {RangeError} If there is an odd number of values, one is not a whole number >= 0, a run is empty, overlaps the
 * one before it (absolute starts), or ends past the image.
 */
export function decodeRle(text: string, options: RleOptions): BinaryMask {
  checkValue("decode RLE", "it", text, TEXT);
  checkValue("decode RLE", "its options", options, RECORD);
  checkSize(options);
  const { width, height } = options;
  const data = new Uint8Array(width * height);
  for (const [position, length] of readRuns(text, options)) {
    for (let pixel = position; pixel < position + length; pixel++) {
      data[(pixel % height) * width + Math.floor(pixel / height)] = 1;
    }
  }
  return { width, height, data };
}

/** What a mask must be. */
const MASK_RULES: Rules<BinaryMask> = {
  width: needed(COUNT),
  height: needed(COUNT),
  data: needed({ must: "its pixels, a Uint8Array", allows: (value) => value instanceof Uint8Array }),
};

/** The runs of set pixels, down the columns: `[position, length]`. */
function runs(mask: BinaryMask): [number, number][] {
  const { width, height, data } = mask;
  const rows: [number, number][] = [];
  let start = -1;
  for (let pixel = 0; pixel <= width * height; pixel++) {
    const set = pixel < width * height && data[(pixel % height) * width + Math.floor(pixel / height)] !== 0;
    if (set && start < 0) start = pixel;
    if (!set && start >= 0) {
      rows.push([start, pixel - start]);
      start = -1;
    }
  }
  return rows;
}

/**
 * Encodes a mask as {@linkcode decodeRle} reads it; the empty mask is "-1".
 *
 * @param mask Row-major; every value but 0 counts as set.
 * @param options How starts are written.
 */
export function encodeRle(mask: BinaryMask, options: Pick<RleOptions, "starts" | "first"> = {}): string {
  checkRecord("encode RLE", "the mask", mask, MASK_RULES);
  const { starts = "relative", first = 1 } = options;
  let end = 0;
  const words = runs(mask).map(([position, length]) => {
    const start = starts === "relative" ? position - end : position + first;
    end = position + length;
    return `${start} ${length}`;
  });
  return words.join(" ") || "-1";
}

/**
 * The union of masks of one size.
 *
 * @throws {TypeError} If there is none, or their sizes differ.
 */
export function uniteMasks(masks: readonly BinaryMask[]): BinaryMask {
  const [first, ...others] = masks;
  if (!first) throw new TypeError("Cannot unite masks as there must be one: there are 0");
  const data = first.data.slice();
  for (const { width, height, data: other } of others) {
    if (width !== first.width || height !== first.height) {
      throw new TypeError(
        `Cannot unite masks as they must be ${first.width} x ${first.height}: one is ${width} x ${height}`,
      );
    }
    for (let i = 0; i < data.length; i++) if (other[i]) data[i] = 1;
  }
  return { width: first.width, height: first.height, data };
}
