/** What an image file is, from its header. @module */
import { decodeDicom, isDicom, storedPixelSha256 } from "./dicom.ts";
import { isJpeg } from "./jpeg.ts";
import { isPng } from "./png.ts";
import { isTiff } from "./tiff.ts";
import { isWebp } from "./webp.ts";
import { decodeImage, readImageBytes } from "./read.ts";

/** What {@linkcode describeImage} finds; the DICOM fields are there for DICOM only. */
export interface ImageDescription {
  /** Told by content, not by extension. */
  format: "JPEG" | "PNG" | "TIFF" | "WebP" | "DICOM";
  /** Columns, pixels. */
  width: number;
  /** Rows, pixels. */
  height: number;
  /** Samples of a pixel as decoded: a palette counts as 3. */
  channels: number;
  /** Bits of a sample as decoded; of a DICOM, as stored. */
  bitDepth: number;
  /** Transfer Syntax UID. */
  transferSyntax?: string;
  /** Photometric Interpretation, once a codec has undone its colour transform. */
  photometric?: string;
  /** Rows (0028,0010). */
  rows?: number;
  /** Columns (0028,0011). */
  columns?: number;
  /** Bits Allocated (0028,0100). */
  bitsAllocated?: number;
  /** Bits Stored (0028,0101). */
  bitsStored?: number;
  /** Pixel Representation (0028,0103) is 1. */
  signed?: boolean;
  /** SHA-256 of the decoded little-endian pixels before rescale or window. */
  pixelSha256?: string;
}

function stillFormat(bytes: Uint8Array): "JPEG" | "PNG" | "TIFF" | "WebP" | undefined {
  if (isPng(bytes)) return "PNG";
  if (isJpeg(bytes)) return "JPEG";
  return isTiff(bytes) ? "TIFF" : isWebp(bytes) ? "WebP" : undefined;
}

/** Whether the bytes begin as one of the image formats read here. */
export function isImage(bytes: Uint8Array): boolean {
  return isPng(bytes) || isJpeg(bytes) || isTiff(bytes) || isWebp(bytes) || isDicom(bytes);
}

/**
 * Reads and decodes an image file and says what it is.
 *
 * @param path A local path.
 * @throws {Error} If there is no such file.
 * @throws {SyntaxError} If it is not an image that can be read.
 */
export async function describeImage(path: string): Promise<ImageDescription> {
  const bytes = await readImageBytes(path);
  if (isDicom(bytes) && !stillFormat(bytes)) {
    const dicom = await decodeDicom(bytes, path);
    const { rows, columns, samples, bitsAllocated, bitsStored, signed, photometric, transferSyntax } = dicom;
    return {
      format: "DICOM",
      width: columns,
      height: rows,
      channels: samples,
      bitDepth: bitsStored,
      transferSyntax,
      photometric,
      rows,
      columns,
      bitsAllocated,
      bitsStored,
      signed,
      pixelSha256: await storedPixelSha256(dicom),
    };
  }
  const { width, height, channels, bitDepth } = await decodeImage(bytes, path);
  return { format: stillFormat(bytes) ?? "JPEG", width, height, channels, bitDepth };
}
