/** Pictures of masks and boxes over their images. @module */
import type { BinaryMask } from "../data/types.ts";
import type { Overlay } from "../display/overlay.ts";
import { pngDataUrl } from "../display/png.ts";
import { toRgb } from "../image/preprocess.ts";
import type { RasterImage } from "../image/raster.ts";
import { resize } from "../image/resize.ts";

/** How answers are written. */
export interface AnswerOptions {
  /** Folder. */
  out: string;
  /** Most cases drawn. */
  pictures: number;
  /** Called with the cases answered so far. */
  onCase(done: number): void;
}

/** A rectangle in shares of the image's sides, from the top left corner. */
export interface PictureBox {
  /** Left edge. */
  x: number;
  /** Top edge. */
  y: number;
  /** Width. */
  width: number;
  /** Height. */
  height: number;
  /** Confidence; drawn thin below one half. @default {1} */
  score?: number;
}

/** What is drawn over an image: truth in blue, prediction in orange. */
export interface Marks {
  /** True mask, of the image's size. */
  truthMask?: BinaryMask;
  /** Predicted mask, of the image's size. */
  mask?: BinaryMask;
  /** True boxes. */
  truthBoxes?: readonly PictureBox[];
  /** Predicted boxes. */
  boxes?: readonly PictureBox[];
}

type Colour = readonly [number, number, number];

const TRUTH: Colour = [76, 201, 240];
const PREDICTED: Colour = [255, 159, 10];

/** Longer side of a picture, pixels. */
const SIDE = 320;

/** The image with its marks, as an 8-bit RGB picture whose longer side is of `side` pixels. */
function paintMarks(image: RasterImage, marks: Marks, side: number): RasterImage {
  const scale = side / Math.max(image.width, image.height);
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
    const pixel = (y * size.width + x) * 3;
    colour.forEach((value, c) => data[pixel + c] = Math.round(share * value + (1 - share) * data[pixel + c]!));
  };
  const paintMask = (mask: BinaryMask, colour: Colour): void => {
    const set = resize({ ...mask, channels: 1, bitDepth: 8 }, { ...size, filter: "nearest" }).data;
    const isSet = (x: number, y: number): boolean =>
      x >= 0 && y >= 0 && x < size.width && y < size.height && set[y * size.width + x] !== 0;
    for (let y = 0; y < size.height; y++) {
      for (let x = 0; x < size.width; x++) {
        if (!isSet(x, y)) continue;
        const inside = isSet(x - 2, y) && isSet(x + 2, y) && isSet(x, y - 2) && isSet(x, y + 2);
        put(x, y, colour, inside ? 0.15 : 1);
      }
    }
  };
  const paintBox = (box: PictureBox, colour: Colour, thick: number): void => {
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

/**
 * A picture for a report or a notebook: the image with masks and boxes.
 *
 * @param side Pixels of its longer side.
 */
export function pictureOverlay(image: RasterImage, marks: Marks, caption: string, side: number = SIDE): Overlay {
  const painted = paintMarks(image, marks, side);
  const columns = 16;
  return {
    image: pngDataUrl(painted),
    grid: { rows: columns * painted.height / painted.width, columns },
    caption,
  };
}
