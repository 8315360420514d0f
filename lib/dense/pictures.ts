/** Pictures of masks and boxes over their images, and the report that shows them. @module */
import type { BinaryMask } from "../data/types.ts";
import type { Overlay } from "../display/overlay.ts";
import { pngDataUrl } from "../display/png.ts";
import { buildReport, type ReportSection } from "../display/report.ts";
import type { Table } from "../display/table.ts";
import type { Rectangle } from "./detect/boxes.ts";
import { toRgb } from "../image/preprocess.ts";
import type { RasterImage } from "../image/raster.ts";
import { resize } from "../image/resize.ts";

/** What is drawn over an image: truth in blue, prediction in orange. */
export interface Marks {
  /** True mask, of the image's size. */
  truthMask?: BinaryMask;
  /** Predicted mask, of the image's size. */
  mask?: BinaryMask;
  /** True boxes, shares of the sides. */
  truthBoxes?: readonly Rectangle[];
  /** Predicted boxes, shares of the sides; those with a score below one half are drawn thin. */
  boxes?: readonly (Rectangle & { score?: number })[];
}

type Colour = readonly [number, number, number];

const TRUTH: Colour = [76, 201, 240];
const PREDICTED: Colour = [255, 159, 10];

/** Longer side of a picture, pixels. */
const SIDE = 320;

/** The image with its marks, as an 8-bit RGB picture whose longer side is 320 pixels. */
export function paintMarks(image: RasterImage, marks: Marks): RasterImage {
  const scale = SIDE / Math.max(image.width, image.height);
  const size = {
    width: Math.max(1, Math.round(image.width * scale)),
    height: Math.max(1, Math.round(image.height * scale)),
  };
  const picture = resize(toRgb(image.bitDepth === 16 && image.channels === 1 ? stretched(image) : image), {
    ...size,
    filter: "bilinear",
  });
  const data = new Uint8Array(picture.data);
  const painted: RasterImage = { ...size, channels: 3, bitDepth: 8, data };
  const put = (x: number, y: number, colour: Colour, share = 1): void => {
    if (x < 0 || y < 0 || x >= size.width || y >= size.height) return;
    const at = (y * size.width + x) * 3;
    colour.forEach((value, c) => data[at + c] = Math.round(share * value + (1 - share) * data[at + c]!));
  };
  const paintMask = (mask: BinaryMask, colour: Colour): void => {
    const one = { width: mask.width, height: mask.height, channels: 1 as const, bitDepth: 8 as const, data: mask.data };
    const set = resize(one, { ...size, filter: "nearest" }).data;
    const at = (x: number, y: number): boolean =>
      x >= 0 && y >= 0 && x < size.width && y < size.height && set[y * size.width + x] !== 0;
    for (let y = 0; y < size.height; y++) {
      for (let x = 0; x < size.width; x++) {
        if (!at(x, y)) continue;
        const inside = at(x - 2, y) && at(x + 2, y) && at(x, y - 2) && at(x, y + 2);
        put(x, y, colour, inside ? 0.15 : 1);
      }
    }
  };
  const paintBox = (box: Rectangle, colour: Colour, thick: number): void => {
    const left = Math.round(box.x * size.width), right = Math.round((box.x + box.width) * size.width) - 1;
    const top = Math.round(box.y * size.height), bottom = Math.round((box.y + box.height) * size.height) - 1;
    for (let i = 0; i < thick; i++) {
      for (let x = left; x <= right; x++) [top + i, bottom - i].forEach((y) => put(x, y, colour));
      for (let y = top; y <= bottom; y++) [left + i, right - i].forEach((x) => put(x, y, colour));
    }
  };
  if (marks.truthMask) paintMask(marks.truthMask, TRUTH);
  if (marks.mask) paintMask(marks.mask, PREDICTED);
  for (const box of marks.truthBoxes ?? []) paintBox(box, TRUTH, 2);
  for (const box of marks.boxes ?? []) paintBox(box, PREDICTED, (box.score ?? 1) >= 0.5 ? 2 : 1);
  return painted;
}

/** 16 bits to 8, from the least to the greatest value. */
function stretched(image: RasterImage): RasterImage {
  let low = Infinity, high = -Infinity;
  for (const value of image.data) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const factor = high > low ? 255 / (high - low) : 0;
  return { ...image, bitDepth: 8, data: Uint8Array.from(image.data, (value) => Math.round((value - low) * factor)) };
}

/** A picture for a report. */
export function pictureOverlay(image: RasterImage, marks: Marks, caption: string): Overlay {
  const painted = paintMarks(image, marks);
  const columns = 16;
  return {
    image: pngDataUrl(painted),
    grid: { rows: columns * painted.height / painted.width, columns },
    caption,
  };
}

/** What {@linkcode densePage} shows. */
export interface DensePage {
  /** Heading. */
  title: string;
  /** One line under it. */
  subtitle: string;
  /** Figures, where there are any. */
  table?: Table;
  /** Pictures. */
  overlays: readonly Overlay[];
  /** One line about the pictures. */
  caption: string;
  /** Whether the images are drawn. */
  synthetic: boolean;
  /** Names and values of the run. */
  facts: Readonly<Record<string, string | number>>;
}

/** The page as one HTML file that needs nothing else. */
export async function densePage(page: DensePage): Promise<string> {
  const { title, subtitle, table, overlays, caption, synthetic, facts } = page;
  const sections: ReportSection[] = [
    ...(table ? [{ kind: "table" as const, table }] : []),
    { kind: "overlays", overlays, caption, synthetic },
    { kind: "facts", facts },
  ];
  return await buildReport({ title, subtitle, sections });
}
