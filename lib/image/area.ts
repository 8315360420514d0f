/**
 * OpenCV's `INTER_AREA`: each pixel is the mean of what it covers, cut pixels by the part of them; where a side grows, a line between
 * the two nearest, held over the middle of each.
 *
 * Source: OpenCV 4, `modules/imgproc/src/resize.cpp` (`computeResizeAreaTab`, `ResizeAreaFast`, the area mode of the linear resize).
 *
 * @module
 */
import type { RasterImage } from "./raster.ts";
import type { ResizeOptions } from "./resize.ts";

/** For each output position of one axis: which samples are read, and their weights. */
type Taps = { from: number; weights: number[] }[];

interface Axis {
  /** Length before. */
  from: number;
  /** Length after. */
  to: number;
  /** First position computed. */
  start: number;
  /** Positions computed. */
  count: number;
}

/** Parts of a pixel smaller than this are left out. */
const SLIVER = 1e-3;

function covered({ from, to, start, count }: Axis): Taps {
  const scale = from / to;
  return Array.from({ length: count }, (_, i) => {
    const begin = (start + i) * scale;
    const end = begin + scale;
    const width = Math.min(scale, from - begin);
    const last = Math.min(Math.floor(end), from - 1);
    const first = Math.min(Math.ceil(begin), last);
    const weights = Array.from({ length: last - first }, () => 1 / width);
    const isCut = first - begin > SLIVER;
    if (isCut) weights.unshift((first - begin) / width);
    if (end - last > SLIVER) weights.push(Math.min(end - last, 1, width) / width);
    return { from: isCut ? first - 1 : first, weights };
  });
}

function between({ from, to, start, count }: Axis): Taps {
  const scale = from / to;
  return Array.from({ length: count }, (_, i) => {
    const position = start + i;
    const low = Math.floor(position * scale);
    const past = position + 1 - (low + 1) / scale;
    const share = past <= 0 ? 0 : past - Math.floor(past);
    if (low >= from - 1) return { from: from - 1, weights: [1] };
    return { from: low, weights: [1 - share, share] };
  });
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + floor % 2 : Math.round(value);
}

/**
 * Resizes every channel alike.
 *
 * @param image 8 or 16 bits a sample.
 * @param options The new size, `width` and `height` before the crop.
 * @returns A new image of the crop's size.
 */
export function resizeArea(
  image: RasterImage,
  options: Pick<ResizeOptions, "crop"> & { width: number; height: number },
): RasterImage {
  const { width, height } = options;
  const crop = options.crop ?? { left: 0, top: 0, width, height };
  const shrinks = width <= image.width && height <= image.height;
  const taps = shrinks ? covered : between;
  const columns = taps({ from: image.width, to: width, start: crop.left, count: crop.width });
  const rows = taps({ from: image.height, to: height, start: crop.top, count: crop.height });
  // Four pixels that become one are summed as integers, halves up; all else is rounded to the even neighbour.
  const isQuarter = image.width === 2 * width && image.height === 2 * height;
  const round = isQuarter ? Math.round : roundHalfEven;
  const { channels, data } = image;
  const line = crop.width * channels;
  const across = new Float64Array(image.height * line);
  for (let y = 0; y < image.height; y++) {
    for (const [x, { from, weights }] of columns.entries()) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        let place = (y * image.width + from) * channels + c;
        for (const weight of weights) {
          sum += data[place]! * weight;
          place += channels;
        }
        across[y * line + x * channels + c] = sum;
      }
    }
  }
  const out = data instanceof Uint16Array ? new Uint16Array(crop.height * line) : new Uint8Array(crop.height * line);
  for (const [y, { from, weights }] of rows.entries()) {
    for (let x = 0; x < line; x++) {
      let sum = 0;
      for (const [k, weight] of weights.entries()) sum += across[(from + k) * line + x]! * weight;
      out[y * line + x] = round(Math.round(sum * 1e6) / 1e6); // a half is a half, whatever the sum's last digits
    }
  }
  return { ...image, width: crop.width, height: crop.height, data: out };
}
