/**
 * Pillow's resampling, bit for bit: antialiased, two passes, 8-bit samples in fixed point.
 *
 * Source: Pillow 13.0, `src/libImaging/Resample.c` (`precompute_coeffs`, `normalize_coeffs_8bpc`, the 8 and 16 bit loops) and
 * `Geometry.c` (`ImagingScaleAffine`, for the nearest neighbour).
 *
 * @module
 */
import type { RasterImage } from "./raster.ts";
import { type FixedWindows, resampleAcross, resampleDown } from "./_resample.ts";

/** The filters: Pillow's `BICUBIC` (a = -0.5), `BILINEAR` and `NEAREST`. */
export type ResizeFilter = "bicubic" | "bilinear" | "nearest";

/** Where to and how {@linkcode resize} goes. */
export interface ResizeOptions {
  /** How pixels are weighed. @default {"bicubic"} */
  filter?: ResizeFilter;
  /**
   * The part of the resized image to compute; the rest costs nothing.
   *
   * @default {everything}
   */
  crop?: { left: number; top: number; width: number; height: number };
}

const PRECISION_BITS = 32 - 8 - 2;

const FILTERS: Record<"bicubic" | "bilinear", { support: number; weight: (x: number) => number }> = {
  bilinear: { support: 1, weight: (x) => x < 1 ? 1 - x : 0 },
  bicubic: {
    support: 2,
    weight: (x) => {
      const a = -0.5;
      if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
      if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
      return 0;
    },
  },
};

/** For each output position of one axis: where its window begins, how long it is, and its weights (`taps` apart). */
interface Windows {
  first: Int32Array;
  length: Int32Array;
  weights: Float64Array;
  taps: number;
}

function windows(
  axis: { from: number; to: number; start: number; count: number },
  filter: "bicubic" | "bilinear",
): Windows {
  const { support: radius, weight } = FILTERS[filter];
  const scale = axis.from / axis.to;
  const filterScale = Math.max(scale, 1);
  const support = radius * filterScale;
  const taps = Math.min(Math.ceil(support) * 2 + 1, axis.from);
  const out: Windows = {
    first: new Int32Array(axis.count),
    length: new Int32Array(axis.count),
    weights: new Float64Array(axis.count * taps),
    taps,
  };
  const inverse = 1 / filterScale;
  for (let i = 0; i < axis.count; i++) {
    const centre = (axis.start + i + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const length = Math.min(Math.trunc(centre + support + 0.5), axis.from) - first;
    let sum = 0;
    for (let k = 0; k < length; k++) {
      const w = weight(Math.abs((k + first - centre + 0.5) * inverse));
      out.weights[i * taps + k] = w;
      sum += w;
    }
    if (sum !== 0) { for (let k = 0; k < length; k++) out.weights[i * taps + k] = out.weights[i * taps + k]! / sum; }
    out.first[i] = first;
    out.length[i] = length;
  }
  return out;
}

function inFixedPoint({ weights, ...axis }: Windows): FixedWindows {
  const unit = 1 << PRECISION_BITS;
  return { ...axis, weights: Int32Array.from(weights, (w) => Math.trunc(w < 0 ? -0.5 + w * unit : 0.5 + w * unit)) };
}

/** Samples as `outer` groups of `along` positions of `inner` values; the middle axis is resampled. */
interface Strides {
  outer: number;
  along: number;
  inner: number;
}

function clip8(sum: number): number {
  const value = sum >> PRECISION_BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

function pass8(input: Uint8Array, { outer, along, inner }: Strides, axis: Windows): Uint8Array {
  const fixed = inFixedPoint(axis);
  if (outer === 1) return resampleDown(input, inner, fixed);
  if (inner === 1 || inner === 3) return resampleAcross(input, { lines: outer, along, channels: inner }, fixed);
  const { first, length, weights, taps } = fixed; // with alpha
  const count = first.length;
  const out = new Uint8Array(outer * count * inner);
  const sums = new Int32Array(inner);
  for (let o = 0, to = 0; o < outer; o++) {
    for (let i = 0; i < count; i++, to += inner) {
      sums.fill(1 << (PRECISION_BITS - 1));
      let from = (o * along + first[i]!) * inner;
      for (let tap = i * taps, end = tap + length[i]!; tap < end; tap++) {
        const weight = weights[tap]!;
        for (let c = 0; c < inner; c++, from++) sums[c] = sums[c]! + input[from]! * weight;
      }
      for (let c = 0; c < inner; c++) out[to + c] = clip8(sums[c]!);
    }
  }
  return out;
}

function pass16(input: Uint16Array, { outer, along, inner }: Strides, axis: Windows): Uint16Array {
  const { first, length, taps, weights } = axis;
  const count = first.length;
  const out = new Uint16Array(outer * count * inner);
  for (let o = 0, to = 0; o < outer; o++) {
    for (let i = 0; i < count; i++) {
      for (let c = 0; c < inner; c++, to++) {
        let sum = 0;
        for (let k = 0, from = (o * along + first[i]!) * inner + c; k < length[i]!; k++, from += inner) {
          sum += input[from]! * weights[i * taps + k]!;
        }
        const value = sum >= 0 ? Math.floor(sum + 0.5) : -Math.floor(-sum + 0.5);
        out[to] = value < 0 ? 0 : value > 65535 ? 65535 : value;
      }
    }
  }
  return out;
}

/** Source positions of the nearest neighbour along one axis; Pillow adds the step up, which rounds otherwise. */
function nearestPositions(axis: { from: number; to: number; start: number; count: number }): Int32Array {
  const step = axis.from / axis.to;
  const positions = new Int32Array(axis.count);
  let centre = step * 0.5;
  for (let i = 0; i < axis.start + axis.count; i++, centre += step) {
    if (i >= axis.start) positions[i - axis.start] = Math.min(Math.trunc(centre), axis.from - 1);
  }
  return positions;
}

function nearest(image: RasterImage, columns: Int32Array, rows: Int32Array): RasterImage["data"] {
  const { width, channels, data } = image;
  const count = columns.length * rows.length * channels;
  const out = data instanceof Uint16Array ? new Uint16Array(count) : new Uint8Array(count);
  let to = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = (row * width + column) * channels;
      for (let c = 0; c < channels; c++) out[to++] = data[from + c]!;
    }
  }
  return out;
}

/**
 * Resizes every channel alike, as Pillow's `Image.resize(size, filter)` does in modes `L`, `RGB`, `La`, `RGBa`, `I;16`
 * (`LA` and `RGBA` must be premultiplied first: `cropResize8` does).
 *
 * @param image 8 or 16 bits a sample.
 * @param options The new size, and how: `width` and `height` of the whole resized image, before the crop.
 * @returns A new image of the crop's size.
 * @throws {RangeError} If a side is not a positive integer.
 */
export function resize(
  image: RasterImage,
  options: ResizeOptions & { width: number; height: number },
): RasterImage {
  const { width, height, filter = "bicubic" } = options;
  const crop = options.crop ?? { left: 0, top: 0, width, height };
  for (const side of [width, height, crop.width, crop.height]) {
    if (!Number.isInteger(side) || side < 1) {
      throw new RangeError(`Cannot resize an image as sides must be positive integers: current value is ${side}`);
    }
  }
  const { channels } = image;
  const across = { from: image.width, to: width, start: crop.left, count: crop.width };
  const down = { from: image.height, to: height, start: crop.top, count: crop.height };
  const whole = { ...image, width: crop.width, height: crop.height };
  if (filter === "nearest") {
    return { ...whole, data: nearest(image, nearestPositions(across), nearestPositions(down)) };
  }
  const columns = windows(across, filter);
  const rows = windows(down, filter);
  // Pillow 13 goes down first when the height shrinks by more than twice as much as the width.
  const shrinks = image.height - height;
  if (shrinks > 0 && shrinks > (image.width - width) * 2) {
    const downFirst: Strides = { outer: 1, along: image.height, inner: image.width * channels };
    const acrossNext: Strides = { outer: crop.height, along: image.width, inner: channels };
    return { ...whole, data: twoPasses(image.data, [downFirst, rows], [acrossNext, columns]) };
  }
  // Only the rows that the second pass reads go through the first.
  const top = rows.first[0]!;
  const bottom = rows.first[crop.height - 1]! + rows.length[crop.height - 1]!;
  rows.first.forEach((first, i) => rows.first[i] = first - top);
  const line = image.width * channels;
  const used = image.data.subarray(top * line, bottom * line);
  const acrossFirst: Strides = { outer: bottom - top, along: image.width, inner: channels };
  const downNext: Strides = { outer: 1, along: bottom - top, inner: crop.width * channels };
  return { ...whole, data: twoPasses(used, [acrossFirst, columns], [downNext, rows]) };
}

function twoPasses(
  data: RasterImage["data"],
  first: [Strides, Windows],
  second: [Strides, Windows],
): RasterImage["data"] {
  return data instanceof Uint16Array
    ? pass16(pass16(data, ...first), ...second)
    : pass8(pass8(data, ...first), ...second);
}
