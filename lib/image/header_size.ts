/** How large a picture is, from the header of its file. @module */
import { dicomSides, isDicom } from "./dicom.ts";
import { exifOrientation, isFrameHeader, isStandAlone } from "./_jpeg_markers.ts";
import { isJpeg } from "./jpeg.ts";
import { isPng } from "./png.ts";
import { isTiff } from "./tiff.ts";
import { isWebp, webpPicture } from "./webp.ts";
import { type RandomBytes, tiffFields, viewOf } from "./random_bytes.ts";

/** Sides of a picture, pixels. */
export interface ImageSize {
  /** Columns. */
  width: number;
  /** Rows. */
  height: number;
}

const HEAD = 512;
/** How far into a DICOM its rows and columns are looked for: most have them in the first few KiB. */
const DICOM_REACHES = [2 ** 12, 2 ** 16];
/** How many segments and fill bytes of a JPEG are passed over: each is a read, and a damaged file may have millions. */
const MOST_SEGMENTS = 2 ** 12;

/**
 * The size that a picture has once it is decoded, from a few of its file's bytes.
 *
 * @param bytes Those of a JPEG, PNG, TIFF, WebP or DICOM.
 * @param isTurned Whether a JPEG is turned as its EXIF orientation says.
 * @returns Undefined where the header does not tell: it is damaged, deflated, or further in than is looked, or says 0.
 */
export async function sizeInHeader(bytes: RandomBytes, isTurned: boolean): Promise<ImageSize | undefined> {
  try {
    const size = await statedSize(bytes, isTurned);
    return size && size.width > 0 && size.height > 0 ? size : undefined;
  } catch {
    return undefined; // decoding it says why
  }
}

async function statedSize(bytes: RandomBytes, isTurned: boolean): Promise<ImageSize | undefined> {
  const head = await bytes.at(0, HEAD);
  if (isPng(head)) return { width: viewOf(head).getUint32(16), height: viewOf(head).getUint32(20) };
  if (isJpeg(head)) return await jpegSize(bytes, isTurned);
  if (isTiff(head)) return await tiffSize(bytes);
  if (isWebp(head)) return webpPicture(head);
  return isDicom(head) ? await dicomSize(bytes) : undefined;
}

/** ITU-T T.81, annex B: segments are passed over up to the frame header. */
async function jpegSize({ at, size }: RandomBytes, isTurned: boolean): Promise<ImageSize | undefined> {
  let orientation = 1;
  for (let offset = 2, passed = 0; offset < size && passed < MOST_SEGMENTS; passed++) {
    const start = await at(offset, 9);
    const code = start[1]!;
    if (start[0] !== 0xff) return undefined;
    if (code === 0xff || isStandAlone(code)) {
      offset += code === 0xff ? 1 : 2;
      continue;
    }
    const view = viewOf(start);
    if (isFrameHeader(code)) return turned({ width: view.getUint16(7), height: view.getUint16(5) }, orientation);
    const end = offset + 2 + view.getUint16(2);
    if (isTurned && code === 0xe1 && orientation === 1) {
      const segment = await at(offset, end - offset);
      orientation = exifOrientation(segment, [{ code, start: 0, end: segment.length }]);
    }
    offset = end;
  }
  return undefined;
}

/** The size of what is seen: orientations 5 to 8 exchange the sides. */
function turned({ width, height }: ImageSize, orientation: number): ImageSize {
  return orientation >= 5 && orientation <= 8 ? { width: height, height: width } : { width, height };
}

async function tiffSize(bytes: RandomBytes): Promise<ImageSize | undefined> {
  const valuesOf = await tiffFields(bytes);
  const [[width], [height], [orientation = 1]] = [await valuesOf(256), await valuesOf(257), await valuesOf(274)];
  return width === undefined || height === undefined ? undefined : turned({ width, height }, orientation);
}

async function dicomSize({ at }: RandomBytes): Promise<ImageSize | undefined> {
  for (const reach of DICOM_REACHES) {
    try {
      const { columns, rows } = dicomSides(await at(0, reach));
      if (columns !== undefined && rows !== undefined) return { width: columns, height: rows };
    } catch {
      // the elements before them reach further
    }
  }
  return undefined;
}
