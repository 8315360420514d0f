/** How large images are, before any is decoded. Nothing is told of the progress: thousands of headers are read in a second. @module */
import { type ImageSize, sizeInHeader } from "../image/header_size.ts";
import type { RandomBytes } from "../image/random_bytes.ts";
import { eachOf } from "./_at_once.ts";
import { withImageBytes } from "./_image_bytes.ts";
import type { ImageLocation } from "./pixels/location.ts";

/** How {@linkcode imageSizes} looks. */
export interface ImageSizesOptions {
  /** Whether pictures are turned as their EXIF orientation says. @default {false} */
  exif?: boolean;
}

/**
 * The size of each image by the header of its file.
 *
 * @returns Undefined for those without a file, and where the header does not tell.
 */
export async function imageSizes(
  locations: readonly (ImageLocation | undefined)[],
  options: ImageSizesOptions = {},
): Promise<(ImageSize | undefined)[]> {
  const { exif = false } = options;
  const sizes = new Array<ImageSize | undefined>(locations.length);
  await eachOf(locations, async (location, index) => {
    if (location === undefined) return;
    const look = (bytes: RandomBytes): Promise<ImageSize | undefined> => sizeInHeader(bytes, exif);
    sizes[index] = await withImageBytes(location, look).catch(() => undefined); // reading it says why
  });
  return sizes;
}
