/** `--exif`, `--decode-workers` and `--cache`: how a command that reads images decodes, turns and keeps them. @module */
import { imagesAhead, type WithImage } from "../data/pixels/ahead.ts";
import { type DecodePoolOptions, openDecodePool } from "../data/pixels/decode_pool.ts";
import { type ImageReader, openImageReader } from "../data/pixels/reader.ts";
import { watchedImages } from "../image/watched.ts";
import { defined } from "../platform/defined.ts";
import { type Arguments, type OptionSpec, WHOLE } from "./command.ts";

const EXIF_WORDS = ["ignore", "apply"] as const;

/** The option of commands that read images which a camera or a phone may have taken. */
export const EXIF_OPTION: Record<string, OptionSpec> = {
  exif: {
    value: "WORD",
    words: EXIF_WORDS,
    help: "EXIF orientation of a JPEG: ignore, as released, or apply (default: ignore)",
  },
};

/** Whether pictures are turned as their EXIF orientation says. */
export function isExifApplied(args: Arguments): boolean {
  return args.choice("exif", EXIF_WORDS, "ignore") === "apply";
}

/** Items whose images tell on stderr what their readers noted, and are turned where `--exif` says so. */
export function watched<T extends Parameters<typeof watchedImages>[0][number]>(
  args: Arguments,
  items: readonly T[],
): T[] {
  return watchedImages(items, { note: (line) => console.error(`note: ${line}`), exif: isExifApplied(args) });
}

/** The option of commands that read many images. */
export const WORKERS_OPTION: Record<string, OptionSpec> = {
  "decode-workers": {
    value: "N",
    number: WHOLE,
    help: "Workers that decode images while others are computed; 0: none (default: the processors)",
  },
};

/** The same, with images kept for the next command. */
export const DECODE_OPTIONS: Record<string, OptionSpec> = {
  ...WORKERS_OPTION,
  cache: {
    value: "DIR",
    help: "Folder of decoded and resized images, read where they are there and added to; deno task cache fills it",
  },
};

/** How many workers the options ask for. */
export function workersFrom(args: Arguments): DecodePoolOptions {
  return defined({ workers: args.number("decode-workers", undefined) });
}

/** Work on items whose images are needed whole: they are decoded in workers, those that come next ahead of their turn. */
export async function decodingAhead<T extends WithImage, Result>(
  args: Arguments,
  items: readonly T[],
  work: (items: T[]) => Promise<Result>,
): Promise<Result> {
  const pool = openDecodePool(workersFrom(args));
  return await work(imagesAhead(items, pool)).finally(() => pool.close());
}

/** The reader that the options describe; a cache that cannot be written is named once, and images are decoded without it. */
export function readerFrom(args: Arguments): ImageReader {
  const cache = args.text("cache");
  return openImageReader({
    exif: isExifApplied(args),
    note: (line) => console.error(`note: ${line}`),
    ...workersFrom(args),
    ...defined({ cache }),
    onCacheError: (error) => console.error(`warning: ${error.message}; images decoded from here on are not kept`),
  });
}
