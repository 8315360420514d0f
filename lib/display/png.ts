/** Images as data URLs for reports and notebooks. @module */
import { encode } from "fast-png";
import { checkRecord, COUNT, needed, type Rules } from "../platform/options.ts";

/** What {@linkcode pngDataUrl} needs of an image; a `RasterImage` is one. */
export interface PngSource {
  /** Columns. */
  width: number;
  /** Rows. */
  height: number;
  /** Samples a pixel. */
  channels: 1 | 2 | 3 | 4;
  /** Bits a sample. */
  bitDepth: 8 | 16;
  /** Row-major, interleaved samples. */
  data: Uint8Array | Uint16Array;
}

/** What an image must be; a raster has more fields. */
const PNG_RULES: Rules<PngSource> = {
  width: needed(COUNT),
  height: needed(COUNT),
  channels: needed(COUNT),
  bitDepth: needed(COUNT),
  data: needed({ must: "its samples, a Uint8Array or a Uint16Array", allows: ArrayBuffer.isView }),
};

/**
 * The image as a PNG data URL. Samples of 16 bits are stretched from their least and greatest value to 0-255: a report
 * shows pictures, it does not store them.
 *
 * @param image The image.
 * @returns `data:image/png;base64,...`.
 * @throws {TypeError} If the number of samples does not fit the size.
 */
export function pngDataUrl(image: PngSource): string {
  checkRecord("encode a PNG", "the image", image, PNG_RULES);
  const { width, height, channels } = image;
  if (image.data.length !== width * height * channels) {
    throw new TypeError(
      `Cannot encode a PNG as there must be ${
        width * height * channels
      } samples: current number is ${image.data.length}`,
    );
  }
  const data = image.bitDepth === 8 ? Uint8Array.from(image.data) : stretch(image.data);
  return `data:image/png;base64,${base64(encode({ width, height, channels, depth: 8, data }))}`;
}

function stretch(samples: ArrayLike<number>): Uint8Array {
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < samples.length; i++) {
    low = Math.min(low, samples[i]!);
    high = Math.max(high, samples[i]!);
  }
  const range = Math.max(high - low, 1);
  return Uint8Array.from({ length: samples.length }, (_, i) => Math.round((samples[i]! - low) * 255 / range));
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(text);
}
