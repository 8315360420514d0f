/** Images that cannot be read, found before long work. @module */
import type { Case } from "./types.ts";
import { IMAGE_RULES } from "./dataset.ts";
import { eachOf } from "./_at_once.ts";
import { looksWhole } from "./whole_file.ts";
import { CALL, checkOptions, checkRecords, FLAG, type Rules } from "../platform/options.ts";

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

/** What they must be. */
const FIND_RULES: Rules<FindUnreadableOptions> = {
  whole: FLAG,
  onProgress: CALL,
};

/**
 * Looks at the beginning and the end of every image file, or decodes all. What looks wrong is decoded before it is said to be:
 * a file whose end is odd may be readable. Images that are in no file are decoded only with `whole`.
 *
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function findUnreadable(
  cases: readonly Pick<Case, "path" | "part" | "image">[],
  options: FindUnreadableOptions = {},
): Promise<UnreadableImage[]> {
  checkOptions("look at images", options, FIND_RULES);
  checkRecords("look at images", "cases", cases, IMAGE_RULES);
  const { whole = false, onProgress } = options;
  const unreadable: UnreadableImage[] = [];
  let done = 0;
  await eachOf(cases, async ({ path, part, image }, index) => {
    const location = part ?? path;
    if (whole || (location !== undefined && !await looksWhole(location))) {
      await image().catch((error: Error) => {
        unreadable.push({ index, reason: error.message });
      });
    }
    onProgress?.(++done);
  });
  return unreadable.sort((a, b) => a.index - b.index);
}
