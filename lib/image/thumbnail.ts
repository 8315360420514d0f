/** Small pictures for reports. @module */
import { encodePng } from "./png.ts";
import { toRgb } from "./preprocess.ts";
import type { RasterImage } from "./raster.ts";
import { resize } from "./resize.ts";

/**
 * A `data:` URL of a PNG whose longer side is `size`, for an HTML report that stands alone.
 *
 * @param image Any raster image; an image smaller than `size` is not enlarged.
 * @param size Longer side, pixels.
 * @throws {RangeError} If `size` is not a positive integer.
 */
export function thumbnailDataUrl(image: RasterImage, size: number): string {
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(`Cannot make a thumbnail as size must be a positive integer: current value is ${size}`);
  }
  const scale = Math.min(1, size / Math.max(image.width, image.height));
  const width = Math.max(1, Math.round(image.width * scale)), height = Math.max(1, Math.round(image.height * scale));
  const shown: RasterImage = image.channels === 1 && image.bitDepth === 8 ? image : toRgb(image);
  const small = resize(shown, { width, height, filter: image.indexed ? "nearest" : "bicubic" });
  const bytes = encodePng(small);
  let binary = "";
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return `data:image/png;base64,${btoa(binary)}`;
}
