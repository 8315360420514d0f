/** Whether an image file begins as an image and is all there, seen from a few of its bytes. @module */
import { isImage } from "../image/describe.ts";
import { isDicom } from "../image/dicom.ts";
import { isJpeg } from "../image/jpeg.ts";
import { isPng } from "../image/png.ts";
import { isTiff } from "../image/tiff.ts";
import { isWebp } from "../image/webp.ts";
import { type RandomBytes, tiffFields, viewOf } from "../image/random_bytes.ts";
import { withImageBytes } from "./_image_bytes.ts";
import type { ImageLocation } from "./pixels/location.ts";

const HEAD = 512;
const TAIL = 64;
/** How far into a DICOM its pixel data are looked for, and how much may follow them. */
const DICOM_REACH = 2 ** 16;

/** How each format tells its end. */
const ENDS: readonly [begins: (head: Uint8Array) => boolean, ends: (bytes: RandomBytes) => Promise<boolean>][] = [
  [isPng, async (bytes) => new TextDecoder("latin1").decode(await tailOf(bytes)).includes("IEND")],
  [isJpeg, async (bytes) => {
    const tail = await tailOf(bytes);
    return tail.at(-2) === 0xff && tail.at(-1) === 0xd9;
  }],
  [isWebp, async ({ at, size }) => viewOf(await at(0, 8)).getUint32(4, true) + 8 <= size],
  [isTiff, tiffEnds],
  [isDicom, dicomEnds],
];

/**
 * Whether a file begins as an image and, as far as its format tells, ends as one. What is odd and yet readable does not look
 * whole either: only decoding it tells.
 */
export async function looksWhole(location: ImageLocation): Promise<boolean> {
  try {
    return await withImageBytes(location, async (bytes) => {
      const head = await bytes.at(0, HEAD);
      return isImage(head) && await ENDS.find(([begins]) => begins(head))?.[1](bytes) !== false;
    });
  } catch {
    return false; // reading it says why
  }
}

function tailOf({ at, size }: RandomBytes): Promise<Uint8Array> {
  return at(Math.max(0, size - TAIL), TAIL);
}

/** TIFF 6.0: the strips or tiles of the first directory lie within the file. */
async function tiffEnds(bytes: RandomBytes): Promise<boolean> {
  const valuesOf = await tiffFields(bytes);
  const [starts, counts] = [await valuesOf(273, 324), await valuesOf(279, 325)];
  return starts.length > 0 && starts.every((start, i) => start + counts[i]! <= bytes.size);
}

/** PS3.5: plain pixel data (7FE0,0010) end near the file's end, compressed ones with their sequence's delimiter. */
async function dicomEnds(bytes: RandomBytes): Promise<boolean> {
  const view = viewOf(await bytes.at(0, DICOM_REACH));
  for (let tag = 0; tag + 12 <= view.byteLength; tag += 2) {
    const isLittle = view.getUint32(tag, true) === 0x00107fe0;
    if (!isLittle && view.getUint32(tag) !== 0x7fe00010) continue;
    const isExplicit = [0x4f42, 0x4f57].includes(view.getUint16(tag + 4)); // OB, OW
    const place = tag + (isExplicit ? 8 : 4);
    const length = view.getUint32(place, isLittle);
    if (length === 0xffffffff) {
      return new TextDecoder("latin1").decode(await tailOf(bytes)).includes("\xfe\xff\xdd\xe0");
    }
    const after = bytes.size - (place + 4 + length);
    if (after >= 0 && after <= DICOM_REACH) return true; // else it may be an icon's
  }
  return false;
}
