/** Whether an image file begins as an image and is all there, seen from a few of its bytes. @module */
import { isImage } from "../image/describe.ts";
import { isDicom } from "../image/dicom.ts";
import { isJpeg } from "../image/jpeg.ts";
import { isPng } from "../image/png.ts";
import { isTiff } from "../image/tiff.ts";
import { isWebp } from "../image/webp.ts";
import type { ImageLocation } from "./pixels/location.ts";

const HEAD = 512;
const TAIL = 64;
/** How far into a DICOM its pixel data are looked for, and how much may follow them. */
const DICOM_REACH = 2 ** 16;

/** The bytes of an image, by itself or in an archive. */
interface Bytes {
  size: number;
  /** Those from `start` on: `count`, or as many as there are. */
  at(start: number, count: number): Promise<Uint8Array>;
}

/** How each format tells its end. */
const ENDS: readonly [begins: (head: Uint8Array) => boolean, ends: (bytes: Bytes) => Promise<boolean>][] = [
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
    const isFile = typeof location === "string";
    using file = await Deno.open(isFile ? location : location.archive);
    const { offset, size } = isFile ? { offset: 0, size: (await file.stat()).size } : location;
    const at: Bytes["at"] = (start, count) => bytesAt(file, offset + start, Math.max(0, Math.min(count, size - start)));
    const head = await at(0, HEAD);
    return isImage(head) && await ENDS.find(([begins]) => begins(head))?.[1]({ size, at }) !== false;
  } catch {
    return false; // reading it says why
  }
}

async function bytesAt(file: Deno.FsFile, start: number, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  await file.seek(start, Deno.SeekMode.Start);
  let size = 0;
  for (let read: number | null; size < count && (read = await file.read(bytes.subarray(size))) !== null;) size += read;
  return bytes.subarray(0, size);
}

function tailOf({ at, size }: Bytes): Promise<Uint8Array> {
  return at(Math.max(0, size - TAIL), TAIL);
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** TIFF 6.0: the strips or tiles of the first directory lie within the file. */
async function tiffEnds({ at, size }: Bytes): Promise<boolean> {
  const header = await at(0, 8);
  const isLittle = header[0] === 0x49;
  const directory = viewOf(header).getUint32(4, isLittle);
  const entries = viewOf(await at(directory + 2, 12 * viewOf(await at(directory, 2)).getUint16(0, isLittle)));
  const valuesOf = async (...tags: number[]): Promise<number[]> => {
    for (let entry = 0; entry < entries.byteLength; entry += 12) {
      if (!tags.includes(entries.getUint16(entry, isLittle))) continue;
      const isShort = entries.getUint16(entry + 2, isLittle) === 3;
      const [count, width] = [entries.getUint32(entry + 4, isLittle), isShort ? 2 : 4];
      const isInline = count * width <= 4;
      const view = isInline ? entries : viewOf(await at(entries.getUint32(entry + 8, isLittle), count * width));
      return Array.from({ length: count }, (_, i) => {
        const place = (isInline ? entry + 8 : 0) + i * width;
        return isShort ? view.getUint16(place, isLittle) : view.getUint32(place, isLittle);
      });
    }
    return [];
  };
  const [starts, counts] = [await valuesOf(273, 324), await valuesOf(279, 325)];
  return starts.length > 0 && starts.every((start, i) => start + counts[i]! <= size);
}

/** PS3.5: plain pixel data (7FE0,0010) end near the file's end, compressed ones with their sequence's delimiter. */
async function dicomEnds(bytes: Bytes): Promise<boolean> {
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
