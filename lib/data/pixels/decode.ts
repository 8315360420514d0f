/** From an image file to the square of 8-bit pixels that a model's input is made of. @module */
import { cropResize8, type PreprocessOptions } from "../../image/preprocess.ts";
import type { RasterImage } from "../../image/raster.ts";
import { decodeImage } from "../../image/read.ts";
import { upright } from "../../image/watched.ts";
import { type FileStamp, type ImageLocation, locationName, readLocation, stampOf } from "./location.ts";
import { newSha256 } from "../../platform/sha256.ts";

/** How a file becomes a square. */
export interface SquareTransform extends PreprocessOptions {
  /** Turn the picture as its EXIF orientation says. @default {false} */
  exif?: boolean;
}

/** An image resized as a transform asks. */
export interface Square {
  /** Row-major `[S, S, channels]`. */
  data: Uint8Array;
  /** 1 where all three colours are equal everywhere. */
  channels: 1 | 3;
  /** What the file's reader noted. */
  notes?: readonly string[];
}

/** A decoded file. */
export interface DecodedFile extends Square {
  /** The file when it was read. */
  stamp: FileStamp;
  /** SHA-256 (hex) of its bytes. */
  sha256: string;
}

/**
 * Reads, decodes and resizes a file; one channel is kept where it is grey.
 *
 * @param location The file, or its place in an archive.
 * @param transform How it is resized.
 * @throws {Error} If it cannot be read.
 * @throws {SyntaxError} If it is no image that can be read; the message names it.
 */
export async function decodeFile(location: ImageLocation, transform: SquareTransform): Promise<DecodedFile> {
  const stamp = await stampOf(location).catch(() => undefined); // the reader has the better word for what is wrong
  const bytes = await readLocation(location);
  const sha256 = newSha256().update(bytes).digest("hex");
  const read = await decodeImage(bytes, locationName(location));
  const image = transform.exif ? upright(read) : read;
  const { data } = cropResize8(image, transform);
  return {
    ...withoutRepeats(data as Uint8Array),
    stamp: stamp ?? await stampOf(location),
    sha256,
    ...(image.notes?.length ? { notes: image.notes } : {}),
  };
}

/**
 * Reads and decodes a file, as it is.
 *
 * @throws {Error} If it cannot be read.
 * @throws {SyntaxError} If it is no image that can be read; the message names it.
 */
export async function decodeWhole(location: ImageLocation): Promise<RasterImage> {
  return await decodeImage(await readLocation(location), locationName(location));
}

/** RGB as one channel where the three are equal everywhere. */
function withoutRepeats(rgb: Uint8Array): Square {
  for (let i = 0; i < rgb.length; i += 3) {
    if (rgb[i] !== rgb[i + 1] || rgb[i] !== rgb[i + 2]) return { data: rgb, channels: 3 };
  }
  return { data: Uint8Array.from({ length: rgb.length / 3 }, (_, i) => rgb[3 * i]!), channels: 1 };
}

/** Three channels, whatever was kept. */
export function squareRgb({ data, channels }: Square): Uint8Array {
  if (channels === 3) return data;
  const rgb = new Uint8Array(3 * data.length);
  for (let i = 0, to = 0; i < data.length; i++, to += 3) rgb[to] = rgb[to + 1] = rgb[to + 2] = data[i]!;
  return rgb;
}
