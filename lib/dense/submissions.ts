/** Predictions in the challenges' forms. @module */
import type { BinaryMask } from "../data/types.ts";
import { encodeRle } from "../data/rle.ts";
import type { Detection } from "./detect/boxes.ts";
import { encodePng } from "../image/png.ts";

function cell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** SIIM's submission: `ImageId,EncodedPixels`, relative runs, "-1" for none. */
export function siimSubmission(rows: readonly { id: string; mask: BinaryMask }[]): string {
  return siimTable(rows.map(siimRow));
}

/** One row of it: far smaller than the mask, where many are kept. */
export function siimRow({ id, mask }: { id: string; mask: BinaryMask }): string {
  return `${cell(id)},${encodeRle(mask)}`;
}

/** The submission of rows made by {@linkcode siimRow}. */
export function siimTable(rows: readonly string[]): string {
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
export function maskPng(mask: BinaryMask): Uint8Array {
  const { width, height } = mask;
  return encodePng({ width, height, channels: 1, bitDepth: 8, data: mask.data.map((value) => value ? 255 : 0) });
}

/** Boxes of one image, with its size in pixels. */
export interface ImageBoxes {
  /** Id of the image. */
  id: string;
  /** Width and height of the image, pixels. */
  size: readonly [number, number];
  /** Boxes, shares of the sides. */
  boxes: readonly Detection[];
}

const round = (value: number, digits: number): string => String(Number(value.toFixed(digits)));

function pixels({ size: [width, height] }: ImageBoxes, box: Detection): string[] {
  return [box.x * width, box.y * height, box.width * width, box.height * height].map((value) => round(value, 1));
}

/** RSNA's submission: `patientId,PredictionString`, the string `confidence x y width height` for each box. */
export function rsnaSubmission(images: readonly ImageBoxes[]): string {
  const rows = images.map((image) => {
    const words = image.boxes.flatMap((box) => [round(box.score, 4), ...pixels(image, box)]);
    return `${cell(image.id)},${words.join(" ")}`;
  });
  return ["patientId,PredictionString", ...rows].join("\n") + "\n";
}

/** A table of boxes: one row a box, with its class. */
export function boxesCsv(images: readonly ImageBoxes[], classes: readonly string[]): string {
  const rows = images.flatMap((image) =>
    image.boxes.map((box) =>
      [cell(image.id), cell(classes[box.classIndex]!), round(box.score, 4), ...pixels(image, box)].join(",")
    )
  );
  return ["image,label,score,x,y,width,height", ...rows].join("\n") + "\n";
}
