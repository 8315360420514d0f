/** An image's bytes where they lie, of which only some are read. @module */
import type { RandomBytes } from "../image/random_bytes.ts";
import { system } from "../platform/system.ts";
import type { ImageLocation } from "./pixels/location.ts";

/** Opens an image's file, or its place in an archive, for as long as `work` takes. */
export async function withImageBytes<T>(
  location: ImageLocation,
  work: (bytes: RandomBytes) => Promise<T>,
): Promise<T> {
  const isFile = typeof location === "string";
  const file = await system.open(isFile ? location : location.archive);
  try {
    const { offset, size } = isFile ? { offset: 0, size: (await file.stat()).size } : location;
    const at: RandomBytes["at"] = async (start, count) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(count, size - start)));
      await file.seek(offset + start, 0);
      let done = 0;
      for (let read: number | null; done < bytes.length && (read = await file.read(bytes.subarray(done))) !== null;) {
        done += read;
      }
      return bytes.subarray(0, done);
    };
    return await work({ size, at });
  } finally {
    file.close();
  }
}
