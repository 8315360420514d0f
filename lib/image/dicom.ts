/**
 * One-frame DICOM images: the stored values, exactly, and what is needed to show them.
 *
 * @module
 */
import { checkImageSize } from "./raster.ts";
import { type DataSet, decimal, PIXEL_DATA, text, words } from "./_dicom_elements.ts";
import { type DicomDisplay, type DicomLut, type DicomWindow, readDisplay } from "./_dicom_display_fields.ts";
import { isDicom, readDicomFile } from "./_dicom_file.ts";
import { COMPRESSED } from "./_dicom_frame.ts";
import { readPixels } from "./_dicom_pixels.ts";
import { errorMessage } from "../platform/error_message.ts";

export { isDicom };
export type { DicomDisplay, DicomLut, DicomWindow };

/** Uncompressed transfer syntaxes. */
const NATIVE: Readonly<Record<string, string>> = {
  "1.2.840.10008.1.2": "implicit VR little endian",
  "1.2.840.10008.1.2.1": "explicit VR little endian",
  "1.2.840.10008.1.2.1.99": "deflated explicit VR little endian",
  "1.2.840.10008.1.2.2": "explicit VR big endian",
};

/** A decoded one-frame image: stored values before rescale or window, and how to show them. */
export interface DicomImage extends DicomDisplay {
  /** Rows (0028,0010). */
  rows: number;
  /** Columns (0028,0011). */
  columns: number;
  /** Samples per pixel: 1 grey, 3 colour (interleaved here, however the file holds them). */
  samples: 1 | 3;
  /** Bits Allocated (0028,0100). */
  bitsAllocated: 8 | 16;
  /** Bits Stored (0028,0101). */
  bitsStored: number;
  /** Pixel Representation (0028,0103) is 1. */
  signed: boolean;
  /** Photometric Interpretation (0028,0004); `RGB` once a codec has undone its colour transform. */
  photometric: "MONOCHROME1" | "MONOCHROME2" | "RGB" | "YBR_FULL";
  /** Transfer Syntax UID (0002,0010), or the uncompressed one found without a meta group. */
  transferSyntax: string;
  /** Whether the transfer syntax may lose information. */
  lossy: boolean;
  /** What was read otherwise than it stands in the file, a line each. */
  notes?: readonly string[];
  /** `rows * columns * samples` stored words, row-major; unused high bits are kept as they are in the file. */
  pixels: Uint8Array | Int8Array | Uint16Array | Int16Array;
}

const TAGS = {
  samples: 0x00280002,
  photometric: 0x00280004,
  planar: 0x00280006,
  frames: 0x00280008,
  rows: 0x00280010,
  columns: 0x00280011,
  bitsAllocated: 0x00280100,
  bitsStored: 0x00280101,
  highBit: 0x00280102,
  signed: 0x00280103,
} as const;

/**
 * Decodes a DICOM file of one frame.
 *
 * Transfer syntaxes: implicit, explicit (little and big endian), deflated, RLE, JPEG baseline, extended (8 and 12 bits) and
 * lossless, JPEG-LS, JPEG 2000. Files without preamble or meta group are read as uncompressed.
 *
 * @param bytes The whole file.
 * @param name The file's name, for messages.
 * @throws {SyntaxError} If the file is cut short, damaged, above the size limits, has several frames, or is of a kind not
 * read; one line that names the file.
 */
export async function decodeDicom(bytes: Uint8Array, name: string): Promise<DicomImage> {
  try {
    // A Node Buffer's slice would share the caller's memory.
    const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const { dataSet, transferSyntax } = readDicomFile(plain);
    if (!(transferSyntax in NATIVE) && !(transferSyntax in COMPRESSED)) {
      throw new Error(`transfer syntax ${JSON.stringify(transferSyntax.slice(0, 64))} is not read`);
    }
    const notes: string[] = [];
    const shape = readShape(dataSet, name, notes);
    const { raw, rgb } = await readPixels(dataSet, { ...shape, transferSyntax }, notes);
    const { planar: _, ...kept } = shape;
    return {
      ...kept,
      photometric: rgb ? "RGB" : shape.photometric,
      transferSyntax,
      lossy: COMPRESSED[transferSyntax]?.lossy ?? false,
      ...readDisplay(dataSet, shape.signed, notes),
      notes,
      pixels: asStored(raw, shape),
    };
  } catch (error) {
    if (error instanceof SyntaxError) throw error; // it names the file already
    throw new SyntaxError(`Cannot read "${name}" as DICOM: ${errorMessage(error)}`);
  }
}

/**
 * Rows and columns as the beginning of a file states them.
 *
 * @throws {Error} If it is cut short before them, or deflated.
 */
export function dicomSides(start: Uint8Array): { rows: number | undefined; columns: number | undefined } {
  const { dataSet } = readDicomFile(start, 0x0029);
  return { rows: words(dataSet, TAGS.rows)?.[0], columns: words(dataSet, TAGS.columns)?.[0] };
}

type Shape =
  & Pick<DicomImage, "rows" | "columns" | "samples" | "bitsAllocated" | "bitsStored" | "signed" | "photometric">
  & {
    planar: boolean;
  };

/** What mends a file that leaves out what its pixels mean. */
const ADD_OR_SAVE = "add that element, or save the picture as PNG";

function readShape(dataSet: DataSet, name: string, notes: string[]): Shape {
  if (!dataSet.elements.has(PIXEL_DATA)) throw new Error("it has no pixel data (7FE0,0010)");
  const number = (tag: number, what: string, fallback?: number): number => {
    const value = words(dataSet, tag)?.[0] ?? fallback;
    if (value === undefined) throw new Error(`it must state its ${what}: ${ADD_OR_SAVE}`);
    return value;
  };
  const rows = number(TAGS.rows, "rows (0028,0010)");
  const columns = number(TAGS.columns, "columns (0028,0011)");
  checkImageSize({ width: columns, height: rows }, name);
  checkFrames(dataSet, notes);
  const samples = number(TAGS.samples, "samples per pixel (0028,0002)");
  const bitsAllocated = number(TAGS.bitsAllocated, "bits allocated (0028,0100)");
  const bitsStored = number(TAGS.bitsStored, "bits stored (0028,0101)");
  const highBit = number(TAGS.highBit, "high bit (0028,0102)", bitsStored - 1);
  const representation = number(TAGS.signed, "pixel representation (0028,0103)");
  must(bitsAllocated === 8 || bitsAllocated === 16, `bits allocated must be 8 or 16: it says ${bitsAllocated}`);
  must(
    bitsStored >= 1 && bitsStored <= bitsAllocated,
    `bits stored must be 1 to ${bitsAllocated}: it says ${bitsStored}`,
  );
  must(highBit === bitsStored - 1, `the high bit must be ${bitsStored - 1}: it says ${highBit}`);
  must(representation <= 1, `pixel representation must be 0 or 1: it says ${representation}`);
  const { photometric, grey } = readPhotometric(dataSet);
  must(samples === (grey ? 1 : 3), `${photometric} must have ${grey ? 1 : 3} samples a pixel: it says ${samples}`);
  must(grey || representation === 0, "colour must be unsigned");
  must(
    bitsAllocated === 8 || grey || photometric === "RGB" || photometric === "YBR_RCT",
    "YBR must have 8 bits a sample",
  );
  return {
    rows,
    columns,
    samples: samples as 1 | 3,
    bitsAllocated: bitsAllocated as 8 | 16,
    bitsStored,
    signed: representation === 1,
    photometric: photometric as DicomImage["photometric"],
    planar: samples === 3 && number(TAGS.planar, "planar configuration (0028,0006)") === 1,
  };
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

function checkFrames(dataSet: DataSet, notes: string[]): void {
  const frames = decimal(dataSet, TAGS.frames) ?? 1;
  if (frames === 0) notes.push("its number of frames (0028,0008) is 0: it is read as 1");
  must(frames === 0 || frames === 1, `multi-frame images are not read: it has ${frames} frames, extract one first`);
}

/** The photometric interpretation, and whether it is grey. */
function readPhotometric(dataSet: DataSet): { photometric: string; grey: boolean } {
  const photometric = text(dataSet, TAGS.photometric);
  if (photometric === undefined) {
    throw new Error(`it must state its photometric interpretation (0028,0004): ${ADD_OR_SAVE}`);
  }
  const grey = photometric === "MONOCHROME1" || photometric === "MONOCHROME2";
  const colour = /^(RGB|YBR_(FULL|FULL_422|RCT|ICT))$/.test(photometric);
  must(grey || colour, `photometric interpretation ${JSON.stringify(photometric.slice(0, 16))} is not read`);
  return { photometric, grey };
}

/** The typed array that the bytes are; this machine is little-endian, as every one that runs Deno. */
function asStored(raw: Uint8Array, { bitsAllocated, signed }: Shape): DicomImage["pixels"] {
  const aligned = raw.byteOffset % 2 === 0 ? raw : raw.slice();
  const { buffer, byteOffset, length } = aligned;
  if (bitsAllocated === 8) return signed ? new Int8Array(buffer, byteOffset, length) : aligned;
  return signed ? new Int16Array(buffer, byteOffset, length / 2) : new Uint16Array(buffer, byteOffset, length / 2);
}

/**
 * SHA-256 (hex) of the stored pixels as little-endian bytes, before rescale or window: the figure by which two decoders
 * of a lossless file must agree.
 *
 * @param dicom As {@linkcode decodeDicom} returns it.
 */
export async function storedPixelSha256(dicom: DicomImage): Promise<string> {
  const { buffer, byteOffset, byteLength } = dicom.pixels;
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
