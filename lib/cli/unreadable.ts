/** `--unreadable`: images that cannot be read are told before the work, and may be left out. @module */
import { hashIds } from "../data/dataset.ts";
import type { Case, Dataset } from "../data/types.ts";
import { findUnreadable } from "../data/unreadable.ts";
import { looksWhole } from "../data/whole_file.ts";
import { createProgress } from "../display/progress.ts";
import type { Arguments, OptionSpec } from "./command.ts";
import { DECODE_OPTIONS, EXIF_OPTION } from "./decode_options.ts";
import { ADAPTER_OPTION, MODEL_OPTIONS, NARROW_OPTION } from "./model_options.ts";
import { printable } from "./printable.ts";

/** What becomes of images that cannot be read. */
export const UNREADABLE_WORDS = ["throw", "drop"] as const;

/** The option of commands that read many images. */
export const UNREADABLE_OPTION: Record<string, OptionSpec> = {
  unreadable: {
    value: "WORD",
    words: UNREADABLE_WORDS,
    help:
      "Images that cannot be read: throw (all are listed before the work) or drop (all are decoded once to find them)",
  },
};

/** The options of commands that put many images through a model. */
export const MANY_IMAGES_OPTIONS: Record<string, OptionSpec> = {
  ...UNREADABLE_OPTION,
  ...EXIF_OPTION,
  ...DECODE_OPTIONS,
  ...MODEL_OPTIONS,
  ...NARROW_OPTION,
  ...ADAPTER_OPTION,
};

const LISTED = 20;

/**
 * The cases whose images can be read; the others are listed on stderr.
 *
 * @throws {RangeError} If there are others and they are not to be dropped, or none is left.
 */
export async function readableCases<T extends Pick<Case, "path" | "image">>(
  args: Arguments,
  cases: readonly T[],
  { whole = true }: { whole?: boolean } = {},
): Promise<T[]> {
  const isDropped = args.choice("unreadable", UNREADABLE_WORDS, "throw") === "drop";
  if (cases.length === 1 && !isDropped) {
    const [{ path, image }] = cases as [T];
    if (path !== undefined && !await looksWhole(path)) await image(); // which says what is wrong with it
    return [...cases];
  }
  const isWhole = isDropped && whole;
  const bar = isWhole ? createProgress(cases.length, { label: "check", unit: "images" }) : undefined;
  const unreadable = await findUnreadable(cases, {
    whole: isWhole,
    ...(bar ? { onProgress: (done) => bar.update(done) } : {}),
  });
  bar?.finish();
  if (unreadable.length === 0) return [...cases];
  for (const { reason } of unreadable.slice(0, isDropped || unreadable.length > 1 ? LISTED : 0)) {
    console.error(`unreadable: ${printable(reason)}`);
  }
  if (unreadable.length > LISTED) console.error(`unreadable: and ${unreadable.length - LISTED} more`);
  const count = `${unreadable.length} of ${cases.length}`;
  if (!isDropped) {
    const first = unreadable.length === 1 ? unreadable[0]!.reason : `the first is: ${unreadable[0]!.reason}`;
    throw new RangeError(
      `Cannot begin as every image must be readable: ${count} cannot be read; ${first}; --unreadable drop leaves such images out`,
    );
  }
  if (unreadable.length === cases.length) {
    throw new RangeError(`Cannot begin as an image must be readable: ${count} are not`);
  }
  console.error(`${count} images are left out`);
  const out = new Set(unreadable.map(({ index }) => index));
  return cases.filter((_, index) => !out.has(index));
}

/** The data set with the cases whose images can be read, the others counted as dropped; see {@linkcode readableCases}. */
export async function readableSet(args: Arguments, dataset: Dataset): Promise<Dataset> {
  return await withCases(dataset, await readableCases(args, dataset.cases), "image unreadable");
}

/** The data set with some of its cases, the others counted under a reason. */
export async function withCases(dataset: Dataset, cases: Case[], reason: string, split?: string): Promise<Dataset> {
  const dropped = dataset.cases.length - cases.length;
  if (dropped === 0 && split === undefined) return dataset;
  return {
    ...dataset,
    cases,
    summary: {
      ...dataset.summary,
      kept: cases.length,
      dropped: { ...dataset.summary.dropped, [reason]: dropped },
    },
    split: {
      name: split ?? dataset.split.name,
      size: cases.length,
      hash: await hashIds(cases.map(({ id }) => id)),
    },
  };
}
