/** An image from bytes or a path, whatever its extension says. @module */
import type { RasterImage } from "./raster.ts";
import { decodeJpeg, isJpeg } from "./jpeg.ts";
import { decodePng, isPng } from "./png.ts";
import { decodeDicom, isDicom } from "./dicom.ts";
import { dicomToRaster } from "./dicom_raster.ts";

/** Largest file read, bytes. */
const MAX_FILE_BYTES = 2 ** 30;

/**
 * Decodes a JPEG, PNG or DICOM, told apart by content. A DICOM comes as a radiograph viewer shows it, in 8 bits.
 *
 * @param bytes The whole file.
 * @param name The file's name, for messages.
 * @throws {SyntaxError} If it is none of these, is damaged, or is of a kind not read; one line that names the file.
 */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<RasterImage> {
  if (isPng(bytes)) return decodePng(bytes, name);
  if (isJpeg(bytes)) return await decodeJpeg(bytes, name);
  if (isDicom(bytes)) return dicomToRaster(await decodeDicom(bytes, name));
  const found = [...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  throw new SyntaxError(
    `Cannot read "${name}" as an image: it must begin as a JPEG, PNG or DICOM does, found ${
      bytes.length === 0 ? "an empty file" : `bytes ${found}`
    }`,
  );
}

/**
 * The bytes of an image file.
 *
 * @throws {Error} If there is no such file, or it cannot be read.
 * @throws {SyntaxError} If it is larger than 1 GiB.
 */
export async function readImageBytes(path: string): Promise<Uint8Array> {
  try {
    const { size } = await Deno.stat(path);
    if (size > MAX_FILE_BYTES) {
      throw new SyntaxError(`Cannot read "${path}" as files must have at most ${MAX_FILE_BYTES} bytes: it has ${size}`);
    }
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    const why = error instanceof Deno.errors.NotFound
      ? "no such file"
      : error instanceof Deno.errors.IsADirectory
      ? "it is a folder"
      : (error as Error).message.split("\n")[0];
    throw new Error(`Cannot read image "${path}": ${why}`, { cause: error });
  }
}

/**
 * Reads and decodes a JPEG, PNG or DICOM file, told apart by content and not by extension.
 *
 * Needs read permission for `path` and nothing else: the codecs come with the module graph.
 *
 * @param path A local path.
 * @throws {Error} If there is no such file.
 * @throws {SyntaxError} If it is not an image that can be read.
 */
export async function readImage(path: string): Promise<RasterImage> {
  return await decodeImage(await readImageBytes(path), path);
}
