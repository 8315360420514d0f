/** Image files as squares: from the cache where they are there, else decoded, in workers where there are any, and kept. @module */
import { imageNotes } from "../../image/watched.ts";
import type { PreprocessOptions } from "../../image/preprocess.ts";
import { openPixelCache, type PixelCache, UnwritableCacheError } from "./cache.ts";
import type { DecodedFile, Square } from "./decode.ts";
import { type DecodePoolOptions, openDecodePool } from "./decode_pool.ts";
import { type ImageLocation, locationName } from "./location.ts";
import { CALL, checkOptions, FLAG, type Rules, TEXT, WHOLE } from "../../platform/options.ts";

/** Reads image files for the sources of a run. */
export interface ImageReader {
  /** Whether files are decoded beside the calling thread: only then does it help to ask for them early. */
  readonly isConcurrent: boolean;
  /** Whether squares are kept on disk: they need not be kept in memory. */
  readonly isCached: boolean;
  /**
   * The square of a file; it depends on the file and the transform alone.
   *
   * @throws {Error} If the file cannot be read.
   * @throws {SyntaxError} If it is no image that can be read, or the cache is damaged; the message names the file.
   */
  read(location: ImageLocation, transform: PreprocessOptions): Promise<Square>;
  /** Writes to the cache what is in memory. */
  flush(): Promise<void>;
  /** Flushes, and ends the workers, which keep a process alive; what is being read then never comes. */
  close(): Promise<void>;
}

/** Options of {@linkcode openImageReader}. */
export interface ImageReaderOptions extends DecodePoolOptions {
  /** Folder of the pixel cache, which is made when missing. @default {no cache} */
  cache?: string;
  /** Turn pictures as their EXIF orientation says. @default {false} */
  exif?: boolean;
  /** Takes a line about a picture that may not be what was meant. @default {nothing is said} */
  note?: (line: string) => void;
  /** Takes the first error of writing to the cache; images are then read without being kept. @default {it is thrown} */
  onCacheError?: (error: Error) => void;
}

/** What they must be. */
const READER_RULES: Rules<ImageReaderOptions> = {
  workers: WHOLE,
  cache: TEXT,
  exif: FLAG,
  note: CALL,
  onCacheError: CALL,
};

/**
 * Opens a reader; {@linkcode ImageReader.close} it after use.
 *
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function openImageReader(options: ImageReaderOptions = {}): ImageReader {
  checkOptions("read images", options, READER_RULES);
  const { cache: folder, exif = false, note } = options;
  const pool = openDecodePool(options);
  const caches = folder === undefined ? undefined : openCaches(folder, exif, options.onCacheError);
  const say = note ? imageNotes({ note }) : undefined;
  const decode = async (location: ImageLocation, transform: PreprocessOptions): Promise<DecodedFile> => {
    const file = await pool.decode(location, { ...transform, exif });
    await caches?.put(file, transform);
    return file;
  };
  const flush = async (): Promise<void> => await caches?.flush();
  return {
    isConcurrent: pool.workers > 0,
    isCached: caches !== undefined,
    async read(location, transform) {
      const square = await caches?.get(location, transform) ?? await decode(location, transform);
      say?.(locationName(location), square.notes);
      return square;
    },
    flush,
    async close() {
      pool.close();
      try {
        await flush();
      } finally {
        await caches?.close();
      }
    },
  };
}

/** The pixel caches of a folder, one for each way of resizing. */
interface PixelCaches {
  get(location: ImageLocation, transform: PreprocessOptions): Promise<Square | undefined>;
  put(file: DecodedFile, transform: PreprocessOptions): Promise<void>;
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** @param onError Takes the first error of writing, after which nothing is written; without it such an error is thrown. */
function openCaches(folder: string, exif: boolean, onError: ImageReaderOptions["onCacheError"]): PixelCaches {
  const caches = new Map<string, Promise<PixelCache | undefined>>();
  let isWritable = true;
  const giveUp = (error: unknown): void => {
    if (!onError) throw error;
    if (isWritable) onError(error as Error);
    isWritable = false;
  };
  const open = (transform: PreprocessOptions): Promise<PixelCache | undefined> =>
    openPixelCache(folder, { ...transform, exif }).catch((error) => {
      if (!(error instanceof UnwritableCacheError)) throw error;
      giveUp(error);
      return undefined;
    });
  const cacheOf = (transform: PreprocessOptions): Promise<PixelCache | undefined> => {
    const key = JSON.stringify(transform);
    let cache = caches.get(key);
    if (!cache) caches.set(key, cache = open(transform));
    return cache;
  };
  const write = async (work: () => Promise<void>): Promise<void> => {
    if (isWritable) await work().catch(giveUp);
  };
  return {
    async get(location, transform) {
      const cache = await cacheOf(transform);
      return await cache?.get(location).catch((error) => {
        if (error instanceof SyntaxError) throw error;
        return undefined; // what is wrong with the file, its reader says better
      });
    },
    async put(file, transform) {
      const cache = await cacheOf(transform);
      if (cache) await write(() => cache.put(file));
    },
    async flush() {
      for (const cache of caches.values()) {
        const opened = await cache.catch(() => undefined); // who read was told
        if (opened) await write(() => opened.flush());
      }
    },
    async close() {
      for (const cache of caches.values()) await cache.then((opened) => opened?.close(), () => {});
      caches.clear();
    },
  };
}
