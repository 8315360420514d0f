/** Filling a pixel cache before it is needed. @module */
import { imageNotes } from "../../image/watched.ts";
import { openPixelCache, type PixelCacheOptions } from "./cache.ts";
import type { SquareTransform } from "./decode.ts";
import { type DecodePoolOptions, openDecodePool } from "./decode_pool.ts";
import { type ImageLocation, locationName } from "./location.ts";
import {
  CALL,
  checkItems,
  checkOptions,
  checkRecord,
  checkValue,
  COUNT,
  RECORD,
  type Rule,
  type Rules,
  TEXT,
  WHOLE,
} from "../../platform/options.ts";

/** Options of {@linkcode fillPixelCache}. */
export interface FillPixelCacheOptions extends DecodePoolOptions, PixelCacheOptions {
  /** Takes the error of a file that cannot be read; the others are still decoded. @default {it is thrown} */
  onUnreadable?: (error: Error) => void;
  /** Takes a line about a picture that may not be what was meant. @default {nothing is said} */
  note?: (line: string) => void;
  /** Called with the files done so far. */
  onProgress?: (done: number) => void;
  /** Stops after the files under way; what is decoded is kept. */
  signal?: AbortSignal;
}

/** What they must be. */
const FILL_RULES: Rules<FillPixelCacheOptions> = {
  workers: WHOLE,
  shardBytes: COUNT,
  onUnreadable: CALL,
  note: CALL,
  onProgress: CALL,
  signal: RECORD,
};

/** What {@linkcode fillPixelCache} did. */
export interface FilledCache {
  /** Files decoded. */
  decoded: number;
  /** Files that were there. */
  present: number;
  /** Whether `signal` ended it. */
  isInterrupted: boolean;
}

/** Where an image lies. */
const LOCATION: Rule = {
  must: "a path, or a place in an archive",
  allows: (value) => typeof value === "string" || typeof value === "object" && "archive" in value!,
};

function checkInput(folder: string, transform: SquareTransform, locations: readonly ImageLocation[]): void {
  checkValue("keep images", "their folder", folder, TEXT);
  checkRecord("keep images", "the transform", transform, { size: COUNT });
  checkItems("keep images", "locations", locations, LOCATION);
}

/**
 * Decodes the files that a cache does not have. It holds a few files for each worker in memory, and a shard of squares.
 *
 * @param folder The cache's folder.
 * @param transform How the images are resized.
 * @param locations The images; those of other processes that fill the same folder are best not among them.
 * @throws {SyntaxError} If a file is no image that can be read, or the cache is damaged.
 * @throws {Error} If a file cannot be read or the cache not be written.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function fillPixelCache(
  folder: string,
  transform: SquareTransform,
  locations: readonly ImageLocation[],
  options: FillPixelCacheOptions = {},
): Promise<FilledCache> {
  checkOptions("keep images", options, FILL_RULES);
  checkInput(folder, transform, locations);
  const { onUnreadable, note, onProgress, signal } = options;
  const cache = await openPixelCache(folder, transform, options);
  const pool = openDecodePool(options);
  const say = note ? imageNotes({ note }) : undefined;
  const result = { decoded: 0, present: 0, isInterrupted: false };
  let next = 0, done = 0;
  let failure: Error | undefined;
  const work = async (): Promise<void> => {
    while (next < locations.length && !failure) {
      if (signal?.aborted) return void (result.isInterrupted = true);
      const location = locations[next++]!;
      if (await cache.has(location).catch(() => false)) result.present++; // a missing file is the decoder's to name
      else {
        const file = await pool.decode(location, transform).catch((error: Error) => {
          if (!onUnreadable) throw error;
          onUnreadable(error);
        });
        if (file) {
          await cache.put(file);
          say?.(locationName(location), file.notes);
          result.decoded++;
        }
      }
      onProgress?.(++done);
    }
  };
  try {
    const workers = Array.from({ length: 2 * Math.max(1, pool.workers) }, () =>
      work().catch((error) => {
        failure ??= error;
      }));
    await Promise.all(workers);
    await cache.flush(); // also after a failure: what is decoded need not be again
    if (failure) throw failure;
    return result;
  } catch (error) {
    throw failure ?? error;
  } finally {
    pool.close();
    cache.close();
  }
}
