// deno-lint-ignore-file no-control-regex -- the first bytes of formats
/** An image from bytes or a path, whatever its extension says. @module */
import type { RasterImage } from "./raster.ts";
import { decodeJpeg, type DecodeJpegOptions, isJpeg } from "./jpeg.ts";
import { decodePng, isPng } from "./png.ts";
import { decodeTiff, isTiff } from "./tiff.ts";
import { decodeWebp, isWebp } from "./webp.ts";
import { decodeDicom, isDicom } from "./dicom.ts";
import { dicomToRaster } from "./dicom_raster.ts";
import { system } from "../platform/system.ts";
import { checkOptions, FLAG, type Rules } from "../platform/options.ts";
import { errorMessage } from "../platform/error_message.ts";

/** Largest file read, bytes. */
const MAX_FILE_BYTES = 2 ** 30;

/** The error for a file that is no image that can be read: none of those formats, damaged, or of a kind not read. */
export class ImageError extends SyntaxError {
  /** Name shown in stack traces. */
  override name = "ImageError";
  /** The file. */
  readonly path: string;

  /**
   * An error about a file.
   *
   * @param path The file.
   * @param message One line that names it.
   */
  constructor(path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.path = path;
  }
}

/** Options of {@linkcode decodeImage} and {@linkcode readImage}. */
export type DecodeImageOptions = DecodeJpegOptions;

/** What they must be. */
const DECODE_RULES: Rules<DecodeImageOptions> = { exif: FLAG };

/** What files that are no image read here begin with, so that a message can name them. */
const OTHERS: readonly [name: string, begins: RegExp][] = [
  ["a GIF", /^GIF8[79]a/],
  ["a BMP", /^BM[^]{4}\0\0\0\0/],
  ["an HEIF or AVIF image", /^[^]{4}ftyp(heic|heix|hevc|mif1|msf1|avif|avis)/],
  ["a video", /^[^]{4}ftyp|^\x1aE\xdf\xa3|^RIFF[^]{4}AVI /],
  ["a JPEG 2000 image outside a DICOM", /^\0\0\0\x0cjP |^\xffO\xffQ/],
  ["a JPEG XL image", /^\xff\x0a|^\0\0\0\x0cJXL /],
  ["an SVG or XML file", /^\s*<(\?xml|svg)/],
  ["a web page", /^\s*<(!doctype|html)/i],
  ["a PDF", /^%PDF/],
  ["a NIfTI volume", /^\x5c\x01\0\0|^[^]{344}(n\+1|ni1)\0/],
  ["an NRRD volume", /^NRRD/],
  ["a gzip file", /^\x1f\x8b/],
  ["a zip archive", /^PK[\x03\x05]/],
  ["a NumPy array", /^\x93NUMPY/],
  ["a Git LFS pointer: git lfs pull fetches what it stands for", /^version https:\/\/git-lfs/],
];

/** What a file that is no image is by its first bytes, for messages. */
export function whatItIs(bytes: Uint8Array): string {
  if (bytes.length === 0) return "an empty file";
  const start = String.fromCharCode(...bytes.subarray(0, 352));
  const known = OTHERS.find(([, begins]) => begins.test(start))?.[0];
  if (known !== undefined || isText(bytes.subarray(0, 352))) return known ?? "text";
  return `bytes ${[...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")}`;
}

/** Whether a file's start is UTF-8 as people write it, or UTF-16 that says so; a letter may be cut at its end. */
function isText(start: Uint8Array): boolean {
  const [first, second] = start;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true;
  try {
    return !/[\0-\x08\x0e-\x1f\x7f]/.test(new TextDecoder("utf-8", { fatal: true }).decode(start, { stream: true }));
  } catch {
    return false;
  }
}

/**
 * Decodes a JPEG, PNG, TIFF, WebP or DICOM, told apart by content. A DICOM comes as a radiograph viewer shows it, in 8 bits. What may not be
 * what was meant (a picture of one grey, an orientation that is not applied) stands in the raster's notes.
 *
 * @param bytes The whole file.
 * @param name The file's name, for messages.
 * @param options How it is read.
 * @throws {ImageError} If it is none of these, is damaged, or is of a kind not read; one line that names the file.
 */
export async function decodeImage(
  bytes: Uint8Array,
  name: string,
  options: DecodeImageOptions = {},
): Promise<RasterImage> {
  try {
    return await decode(bytes, name, options);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ImageError(name, error.message, { cause: error });
  }
}

async function decode(bytes: Uint8Array, name: string, options: DecodeImageOptions): Promise<RasterImage> {
  if (isPng(bytes)) return noted(decodePng(bytes, name));
  if (isJpeg(bytes)) return noted(await decodeJpeg(bytes, name, options));
  if (isTiff(bytes)) return noted(decodeTiff(bytes, name));
  if (isWebp(bytes)) return noted(await decodeWebp(bytes, name));
  if (isDicom(bytes)) return dicomToRaster(await decodeDicom(bytes, name));
  throw new SyntaxError(
    `Cannot read "${name}" as an image: it must be a JPEG, PNG, TIFF, WebP or DICOM (save it as PNG), found ${
      whatItIs(bytes)
    }`,
  );
}

/** The image, with a note if nothing is seen in it, or little will be: `grey16` of the preprocessing tells why. */
function noted(image: RasterImage): RasterImage {
  const { notes = [] } = image;
  const more = isOneShade(image) ? "its picture is one shade: all its pixels are equal" : lostInClipping(image);
  return more === undefined ? image : { ...image, notes: [...notes, more] };
}

function isOneShade({ data, channels }: RasterImage): boolean {
  for (let i = channels; i < data.length; i++) if (data[i] !== data[i - channels]) return false;
  return data.length > channels;
}

function lostInClipping({ data, channels, bitDepth }: RasterImage): string | undefined {
  if (bitDepth !== 16 || channels !== 1) return undefined;
  let lost = 0;
  for (const value of data) if (value > 255) lost++;
  const share = Math.round(100 * lost / data.length);
  return lost === 0
    ? undefined
    : `its 16-bit grey is clipped at 255, as the released code does: ${share} % of it turns white; save it in 8 bits`;
}

/**
 * The bytes of an image file.
 *
 * @throws {Error} If there is no such file, or it cannot be read.
 * @throws {ImageError} If it is larger than 1 GiB.
 */
export async function readImageBytes(path: string): Promise<Uint8Array> {
  try {
    const { size } = await system.stat(path);
    if (size > MAX_FILE_BYTES) {
      throw new ImageError(
        path,
        `Cannot read "${path}" as files must have at most ${MAX_FILE_BYTES} bytes: it has ${size}`,
      );
    }
    return await system.readFile(path);
  } catch (error) {
    if (error instanceof ImageError) throw error;
    const why = error instanceof system.errors.NotFound
      ? "no such file"
      : error instanceof system.errors.IsADirectory
      ? "it is a folder"
      : errorMessage(error).split("\n")[0];
    throw new Error(`Cannot read image "${path}": ${why}`, { cause: error });
  }
}

/**
 * Reads and decodes a JPEG, PNG, TIFF, WebP or DICOM file, told apart by content and not by extension.
 *
 * Needs read permission for `path` and nothing else: the codecs come with the module graph.
 *
 * @param path A local path.
 * @param options How it is read.
 * @throws {Error} If there is no such file.
 * @throws {ImageError} If it is not an image that can be read.
 *
 * @example A PNG
 * ```ts
 * import { readImage } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * const { width, height, data, channels } = await readImage("data/demo_report.png");
 * assertEquals(data.length, width * height * channels);
 * ```
 */
export async function readImage(path: string, options: DecodeImageOptions = {}): Promise<RasterImage> {
  checkOptions("read an image", options, DECODE_RULES);
  return await decodeImage(await readImageBytes(path), path, options);
}
