/** Images that cannot be read, found before long work. @module */
import { isImage } from "../image/describe.ts";
import { isJpeg } from "../image/jpeg.ts";
import { isPng } from "../image/png.ts";
import type { ImageLocation } from "./pixels/location.ts";
import type { Case } from "./types.ts";

/** A case whose image cannot be read. */
export interface UnreadableImage {
  /** Its place among the cases. */
  index: number;
  /** One line that names the file. */
  reason: string;
}

/** Options of {@linkcode findUnreadable}. */
export interface FindUnreadableOptions {
  /** Decode every image, which also finds damage within; else only those whose beginning or end is wrong. @default {false} */
  whole?: boolean;
  /** Called with the images looked at. */
  onProgress?: (done: number) => void;
}

const HEAD = 512;
const TAIL = 64;
const AT_ONCE = 8;

/**
 * Looks at the beginning and the end of every image file, or decodes all. What looks wrong is decoded before it is said to be:
 * a file whose end is odd may be readable. Images that are in no file are decoded only with `whole`.
 */
export async function findUnreadable(
  cases: readonly Pick<Case, "path" | "part" | "image">[],
  options: FindUnreadableOptions = {},
): Promise<UnreadableImage[]> {
  const { whole = false, onProgress } = options;
  const unreadable: UnreadableImage[] = [];
  let next = 0, done = 0;
  const work = async (): Promise<void> => {
    while (next < cases.length) {
      const index = next++;
      const { path, part, image } = cases[index]!;
      const location = part ?? path;
      if (whole || (location !== undefined && !await looksWhole(location))) {
        await image().catch((error: Error) => {
          unreadable.push({ index, reason: error.message });
        });
      }
      onProgress?.(++done);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return unreadable.sort((a, b) => a.index - b.index);
}

/** Whether a file begins as an image and, as far as its format tells, ends as one. */
async function looksWhole(location: ImageLocation): Promise<boolean> {
  try {
    const isFile = typeof location === "string";
    using file = await Deno.open(isFile ? location : location.archive);
    const { offset, size } = isFile ? { offset: 0, size: (await file.stat()).size } : location;
    const head = await bytesAt(file, offset, Math.min(size, HEAD));
    if (!isImage(head)) return false;
    if (!isPng(head) && !isJpeg(head)) return true;
    const tail = await bytesAt(file, offset + Math.max(0, size - TAIL), Math.min(size, TAIL));
    return isPng(head)
      ? new TextDecoder("latin1").decode(tail).includes("IEND")
      : tail[tail.length - 2] === 0xff && tail[tail.length - 1] === 0xd9;
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
