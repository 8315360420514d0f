/** Predicted masks as files: PNGs, and the table of the SIIM challenge. @module */
import { join } from "@std/path";
import { csvCell, type CsvCellOptions } from "../../data/csv_cell.ts";
import { encodeRle } from "../../data/rle.ts";
import type { BinaryMask, Case } from "../../data/types.ts";
import type { Overlay } from "../../display/overlay.ts";
import { encodePng } from "../../image/png.ts";
import { writeFileAtomic } from "../../io/files.ts";
import { type AnswerOptions, pictureOverlay } from "../pictures.ts";
import type { MaskOverlap } from "./metrics.ts";

/**
 * One row of SIIM's submission: relative runs, "-1" for none. Far smaller than the mask, where many are kept. SIIM's own ids, which
 * its scorer looks up, are none that a spreadsheet would take for a formula.
 */
export function siimRow({ id, mask }: { id: string; mask: BinaryMask }, options: CsvCellOptions = {}): string {
  return `${csvCell(id, options)},${encodeRle(mask)}`;
}

/** SIIM's submission, `ImageId,EncodedPixels`, of rows made by {@linkcode siimRow}. */
export function siimSubmission(rows: readonly string[]): string {
  return ["ImageId,EncodedPixels", ...rows].join("\n") + "\n";
}

/**
 * A file name, without extension, for each id: letters, digits, `.`, `_` and `-` are kept, an image's extension is left off,
 * and a name that is taken gets a number, so that no file is written over another.
 */
export function fileNames(ids: readonly string[]): string[] {
  const taken = new Set<string>();
  return ids.map((id) => {
    const name = id.replace(/\.(png|jpe?g|dcm|dicom)$/i, "").replaceAll(/[^\p{L}\p{N}._-]+/gu, "_");
    let free = name;
    for (let i = 2; taken.has(free.toLowerCase()); i++) free = `${name}_${i}`;
    taken.add(free.toLowerCase()); // some file systems know no case
    return free;
  });
}

/** A mask as a PNG of 0 and 255. */
function maskPng(mask: BinaryMask): Uint8Array {
  const { width, height } = mask;
  return encodePng({ width, height, channels: 1, bitDepth: 8, data: mask.data.map((value) => value ? 255 : 0) });
}

/** Takes masks in the order of their cases. */
export interface MaskWriter {
  /** Writes the next case's mask; with its overlap the truth is drawn beside it. */
  write(mask: BinaryMask, overlap?: MaskOverlap): Promise<void>;
  /** Writes the submission; returns the pictures of the first cases. */
  finish(): Promise<Overlay[]>;
}

/** Writes masks as they come: `masks/<name>.png` each, and a row of `submission.csv`. */
export function maskWriter(
  cases: readonly Case[],
  { out, pictures, onCase, spreadsheet = true }: AnswerOptions & CsvCellOptions,
): MaskWriter {
  const overlays: Overlay[] = [], rows: string[] = [];
  const names = fileNames(cases.map(({ id }) => id));
  return {
    write: async (mask, overlap) => {
      const item = cases[rows.length]!;
      await writeFileAtomic(join(out, "masks", `${names[rows.length]}.png`), maskPng(mask), { isPrivate: true });
      if (overlays.length < pictures) {
        const marks = overlap ? { mask, truthMask: await item.mask!() } : { mask };
        const caption = overlap ? `${item.id}: Dice ${overlap.dice.toFixed(2)}` : item.id;
        overlays.push(pictureOverlay(await item.image(), marks, caption));
      }
      rows.push(siimRow({ id: item.id, mask }, { spreadsheet }));
      onCase(rows.length);
    },
    finish: async () => {
      await writeFileAtomic(join(out, "submission.csv"), siimSubmission(rows), { isPrivate: true });
      return overlays;
    },
  };
}
