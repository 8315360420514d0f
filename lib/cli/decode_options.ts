/** `--exif`, `--decode-workers` and `--cache`: how a command that reads images decodes, turns and keeps them. @module */
import { type ImageReader, openImageReader } from "../data/pixels/reader.ts";
import { watchedImages } from "../image/watched.ts";
import type { Arguments, OptionSpec } from "./command.ts";

/** The option of commands that read images which a camera or a phone may have taken. */
export const EXIF_OPTION: Record<string, OptionSpec> = {
  exif: {
    type: "string",
    value: "WORD",
    help: "EXIF orientation of a JPEG: ignore, as released, or apply (default: ignore)",
  },
};

/** Whether pictures are turned as their EXIF orientation says. */
export function isExifApplied(args: Arguments): boolean {
  return args.choice("exif", ["ignore", "apply"], "ignore") === "apply";
}

/** Items whose images tell on stderr what their readers noted, and are turned where `--exif` says so. */
export function watched<T extends Parameters<typeof watchedImages>[0][number]>(
  args: Arguments,
  items: readonly T[],
): T[] {
  return watchedImages(items, { note: (line) => console.error(`note: ${line}`), exif: isExifApplied(args) });
}

/** Options of commands that read many images. */
export const DECODE_OPTIONS: Record<string, OptionSpec> = {
  "decode-workers": {
    type: "string",
    value: "N",
    help: "Workers that decode images while others are computed; 0: none (default: the processors)",
  },
  cache: {
    type: "string",
    value: "DIR",
    help: "Folder of decoded and resized images, read where they are there and added to; deno task cache fills it",
  },
};

/** The reader that the options describe; a cache that cannot be written is named once, and images are decoded without it. */
export function readerFrom(args: Arguments): ImageReader {
  const cache = args.text("cache");
  return openImageReader({
    exif: isExifApplied(args),
    note: (line) => console.error(`note: ${line}`),
    ...(args.text("decode-workers") === undefined ? {} : { workers: args.integer("decode-workers", 0, 0) }),
    ...(cache === undefined ? {} : { cache }),
    onCacheError: (error) => console.error(`warning: ${error.message}; images decoded from here on are not kept`),
  });
}
