/**
 * JPEG files, bit for bit as Pillow reads them: by libjpeg-turbo compiled to WebAssembly, grey ones of one scan by a decoder of the
 * same integers (_jpeg_grey.ts).
 *
 * One damage is read otherwise: a block whose coefficients no encoder writes (past 2^17 or so once dequantised). libjpeg's inverse
 * transform sums in C's `long`, which has 32 bits in WebAssembly and 64 on most machines, so the samples of that block differ.
 *
 * @module
 */
import { checkImageSize, type RasterImage } from "./raster.ts";
import { decodeHuffmanJpeg } from "./_jpeg_grey.ts";
import { oriented } from "./orientation.ts";
import { checkJpegLength, exifOrientation, type JpegHeader, readJpegHeader } from "./_jpeg_markers.ts";
import { errorMessage } from "../platform/error_message.ts";

const PROCESSES: Record<number, string> = {
  0xc0: "baseline",
  0xc1: "extended",
  0xc2: "progressive",
  0xc3: "lossless",
  0xc9: "arithmetic",
  0xca: "arithmetic progressive",
  0xf7: "JPEG-LS",
};

/** Whether the bytes begin as a JPEG does. */
export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

/** How {@linkcode decodeJpeg} reads. */
export interface DecodeJpegOptions {
  /**
   * Whether the picture is turned as its EXIF orientation says. Without it the orientation is left alone, as Pillow's `open` and
   * open_clip do, and a note says that there is one.
   * @default {false}
   */
  exif?: boolean;
}

/**
 * Reads a JPEG of 8 bits: grey gives 1 channel, colour 3.
 *
 * @param bytes The whole file.
 * @param name The file's name, for messages.
 * @throws {SyntaxError} If the file is cut short or damaged, above the size limits, or of a kind not read (CMYK,
 * arithmetic coding, lossless, more than 8 bits).
 */
export async function decodeJpeg(
  bytes: Uint8Array,
  name: string,
  options: DecodeJpegOptions = {},
): Promise<RasterImage> {
  const header = checkedHeader(bytes, name);
  let data: Uint8Array;
  try {
    data = (await decodeHuffmanJpeg(bytes, header)).data;
  } catch (error) {
    throw new SyntaxError(`Cannot read "${name}" as JPEG: ${errorMessage(error)}`);
  }
  const { width, height } = header;
  const channels = header.components === 1 ? 1 : 3;
  const expected = width * height * channels;
  if (data.length !== expected) {
    throw new SyntaxError(`Cannot read "${name}" as JPEG: ${expected} samples were expected, found ${data.length}`);
  }
  const image: RasterImage = { width, height, channels, bitDepth: 8, data };
  const orientation = exifOrientation(bytes, header.markers);
  if (options.exif) return oriented(image, orientation);
  return orientation === 1 ? image : {
    ...image,
    orientation,
    notes: [`its EXIF orientation ${orientation} is not applied; the option exif turns it`],
  };
}

function checkedHeader(bytes: Uint8Array, name: string): JpegHeader {
  const fail = (what: string): never => {
    throw new SyntaxError(`Cannot read "${name}" as JPEG: ${what}`);
  };
  let header: JpegHeader;
  try {
    header = readJpegHeader(bytes);
  } catch (error) {
    return fail(errorMessage(error));
  }
  checkImageSize(header, name);
  const process = PROCESSES[header.process] ?? `of process ${header.process.toString(16)}`;
  if (header.process < 0xc0 || header.process > 0xc2) {
    fail(`it must be baseline, extended or progressive (Huffman): this one is ${process}`);
  }
  if (header.precision !== 8) fail(`samples must have 8 bits: these have ${header.precision}`);
  if (header.components === 4) fail("CMYK is not read: save it as RGB or grey first");
  if (header.components !== 1 && header.components !== 3) {
    fail(`it must have 1 or 3 components: this one has ${header.components}`);
  }
  try {
    checkJpegLength(header);
  } catch (error) {
    fail(errorMessage(error));
  }
  return header;
}
