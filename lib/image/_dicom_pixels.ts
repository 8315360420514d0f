/** A DICOM file's pixel data as the one frame's samples. PS3.5, section 8 and annex A.4. @module */
import { type DataSet, type Element, PIXEL_DATA } from "./_dicom_elements.ts";
import { COMPRESSED, decodeCompressed, type FrameShape } from "./_dicom_frame.ts";

/** What the data set says of its pixel data. */
export interface PixelShape extends FrameShape {
  bitsStored: number;
  /** Whether uncompressed colour stands in three planes. */
  planar: boolean;
  transferSyntax: string;
}

/** Photometric interpretations that are shown without a codec. */
const PLAIN = /^(MONOCHROME[12]|RGB|YBR_FULL)$/;

/** JPEG Baseline (Process 1), which has 8 bits. */
const JPEG_BASELINE = "1.2.840.10008.1.2.4.50", JPEG_EXTENDED = "1.2.840.10008.1.2.4.51";

/** A picture's bytes, without what pads them. */
export interface Pixels {
  raw: Uint8Array;
  /** Whether a codec has made RGB of them. */
  rgb: boolean;
}

/**
 * The frame's interleaved little-endian samples.
 *
 * @param notes Takes what was read otherwise than it stands in the file.
 * @throws {Error} If pixels and data set contradict each other, or the photometric interpretation is not read.
 */
export async function readPixels(dataSet: DataSet, shape: PixelShape, notes: string[]): Promise<Pixels> {
  const element = dataSet.elements.get(PIXEL_DATA)!;
  const size = shape.rows * shape.columns * shape.samples * shape.bitsAllocated / 8;
  return shape.transferSyntax in COMPRESSED
    ? await readCompressed(dataSet, element, size, shape, notes)
    : readNative(dataSet, element, size, shape, notes);
}

function readNative(
  { bytes, encoding }: DataSet,
  element: Element,
  size: number,
  { bitsAllocated, photometric, planar }: PixelShape,
  notes: string[],
): Pixels {
  if (element.fragments) throw new Error("its pixels are in fragments, its transfer syntax is uncompressed");
  if (!PLAIN.test(photometric)) {
    throw new Error(`uncompressed pixels of photometric interpretation "${photometric}" are not read`);
  }
  if (element.length < size) {
    throw new Error(`its header needs ${size} bytes of pixels, its pixel data have ${element.length}`);
  }
  // A value of odd length is padded to an even one; more is allowed, and is not part of the picture (PS3.5 8.1.1).
  const excess = element.length - size - size % 2;
  if (excess >= size) {
    throw new Error(`its pixel data hold more than one picture: ${element.length} bytes for ${size}`);
  }
  if (excess > 0) notes.push(`its pixel data have ${excess} bytes more than its picture, which are left out`);
  const raw = bytes.slice(element.start, element.start + Math.min(element.length, size + size % 2));
  // In big endian a word is turned, and pixels of 8 bits are words too when their VR is OW (PS3.5 8.1.1).
  if (!encoding.littleEndian && (bitsAllocated === 16 || element.vr === "OW")) swapBytes(raw);
  const pixels = raw.subarray(0, size);
  return { raw: planar ? interleave(pixels, bitsAllocated / 8) : pixels, rgb: false };
}

async function readCompressed(
  dataSet: DataSet,
  element: Element,
  size: number,
  shape: PixelShape,
  notes: string[],
): Promise<Pixels> {
  const { transferSyntax, photometric } = shape;
  if (!element.fragments) throw new Error("its transfer syntax is compressed, its pixels are not in fragments");
  const [table, ...fragments] = element.fragments;
  if (!table || fragments.length === 0) throw new Error("its pixel data hold no fragment");
  if (table.length > 4 || table.length % 4 !== 0) {
    throw new Error(`its offset table must have one entry for one frame: it has ${table.length / 4}`);
  }
  const { bytes, rgb, bits } = await decodeCompressed(join(dataSet.bytes, fragments), shape);
  if (bits === 12 && [JPEG_BASELINE, JPEG_EXTENDED].includes(transferSyntax)) {
    notes.push(
      transferSyntax === JPEG_BASELINE
        ? `its transfer syntax ${JPEG_BASELINE} is JPEG of 8 bits, its compressed stream has 12`
        : "its compressed stream is JPEG of 12 bits, which few readers know: it is read as libjpeg reads it",
    );
  }
  if (bits !== undefined && bits !== shape.bitsStored) {
    notes.push(`its data set says ${shape.bitsStored} bits stored (0028,0101), its compressed stream has ${bits}`);
  }
  if (bytes.length !== size) throw new Error(`its pixels must have ${size} bytes, decoded were ${bytes.length}`);
  if (!rgb && !PLAIN.test(photometric)) {
    throw new Error(`pixels of photometric interpretation "${photometric}" are not read from ${transferSyntax}`);
  }
  return { raw: bytes, rgb };
}

function join(bytes: Uint8Array, spans: { start: number; length: number }[]): Uint8Array {
  const out = new Uint8Array(spans.reduce((sum, span) => sum + span.length, 0));
  let offset = 0;
  for (const { start, length } of spans) {
    out.set(bytes.subarray(start, start + length), offset);
    offset += length;
  }
  return out;
}

function swapBytes(bytes: Uint8Array): void {
  for (let i = 0; i + 1 < bytes.length; i += 2) {
    const low = bytes[i]!;
    bytes[i] = bytes[i + 1]!;
    bytes[i + 1] = low;
  }
}

/** Three planes to pixels, `size` bytes a sample. */
function interleave(planes: Uint8Array, size: number): Uint8Array {
  const plane = planes.length / 3;
  const out = new Uint8Array(planes.length);
  for (let to = 0, from = 0; to < out.length; from += size) {
    for (let c = 0; c < 3; c++) for (let k = 0; k < size; k++) out[to++] = planes[c * plane + from + k]!;
  }
  return out;
}
