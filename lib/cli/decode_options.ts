/** `--decode-workers` and `--cache`: how a command that reads many images decodes and keeps them. @module */
import { type ImageReader, openImageReader } from "../data/pixels/reader.ts";
import type { Arguments, OptionSpec } from "./command.ts";
import { isExifApplied } from "./data_options.ts";

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
