/** Where a command writes: checked before the work, held by one run at a time, and no earlier result written over unasked. @module */
import { inSentence } from "../platform/nearest.ts";
import { basename, dirname, join, resolve } from "@std/path";
import { checkWritable, exists, filesUnderWay, writeFileAtomic } from "../io/files.ts";
import { LockedError, lockFile } from "../io/lock.ts";
import { type Arguments, type OptionSpec, UsageError } from "./command.ts";
import { leaveAtRequest } from "./interrupt.ts";
import { passOver } from "./paths.ts";

/** The option of commands that write results. */
export const OVERWRITE_OPTION: Record<string, OptionSpec> = {
  overwrite: { help: "Write over the earlier result that is there" },
};

/** The option of commands that write CSV. */
export const PLAIN_CSV_OPTION: Record<string, OptionSpec> = {
  "plain-csv": { help: "Write texts of CSVs as they are, also those that a spreadsheet takes for a formula" },
};

/** How texts are written to CSVs, as `csvCell` takes it. */
export function csvOptionsFrom(args: Arguments): { spreadsheet: boolean } {
  return { spreadsheet: !args.flag("plain-csv") };
}

/** What a command writes. */
export interface Output {
  /** The folder or file that an option names. */
  path: string;
  /** The results that the folder is to hold, by name. @default {none: `path` is the result, a file} */
  results?: readonly string[];
  /** The option that names another place. @default {"out"} */
  option?: string;
  /** Whether what is there may be written over, where the command looks into it itself. @default {whether `--overwrite` is given} */
  mayReplace?: boolean;
  /** Name of the share of a folder's work that this run alone does: other shares may run beside it. @default {none: all of it} */
  share?: string;
}

/**
 * Carries out work that writes at `path`, as the only run that does. A folder that this made and nothing was written to is
 * removed again, however the work ends.
 *
 * @throws {UsageError} If a result is there and may not be replaced, or another run is writing there.
 * @throws {Error} If nothing can be written there; the message names the path.
 */
export async function holdOutput<T>(
  args: Arguments,
  { path, results, option = "out", mayReplace = args.flag("overwrite"), share = "" }: Output,
  work: () => Promise<T>,
): Promise<T> {
  const files = results ? results.map((name) => join(path, name)) : [path];
  if (!mayReplace) await checkFree(path, { files, option });
  const made = await missingFolders(results ? path : dirname(path));
  const endPassingOver = passOver(made);
  const lockPath = results ? join(path, `${share}.lock`) : join(dirname(path), `.${basename(path)}.lock`);
  try {
    await checkWritable(files[0]!);
    const lock = await lockFile(lockPath)
      .catch(
        (error) => {
          if (!(error instanceof LockedError)) throw error;
          throw new UsageError(`another run is writing to "${path}": --${option} names another place`);
        },
      );
    const stopListening = leaveAtRequest((isKept) => {
      removeUnfinished([lockPath, ...(mayReplace || isKept ? [] : files), ...made]);
    });
    return await work().finally(async () => {
      stopListening();
      await lock.release();
    });
  } finally {
    endPassingOver();
    for (const folder of made) await Deno.remove(folder).catch(() => {}); // only one that is empty can be removed
  }
}

/** Removes what a command that is interrupted has not finished: also files that are there already, of which others were to follow. */
function removeUnfinished(paths: readonly string[]): void {
  for (const path of [...filesUnderWay(), ...paths]) {
    try {
      Deno.removeSync(path); // of folders only those that are empty
    } catch {
      // it is not there, or holds more
    }
  }
  console.error("interrupted: nothing half-written is left");
}

/** What a command leaves in its folder and prints. */
export interface Results {
  /** Name and value of the record, a JSON file; written last, so that where it is, all is. */
  record: readonly [name: string, value: unknown];
  /** The other files' contents by name. @default {{}} */
  files?: Readonly<Record<string, string>>;
  /** What is printed, where `--json` does not ask for the record. */
  text: string;
}

/** Writes a command's results, says where they are on stderr, and prints them. */
export async function writeResults(args: Arguments, folder: string, results: Results): Promise<void> {
  const { record: [name, value], files = {}, text } = results;
  const json = JSON.stringify(value, null, 2);
  for (const [file, content] of [...Object.entries(files), [name, `${json}\n`] as const]) {
    await writeFileAtomic(join(folder, file), content, { isPrivate: true });
  }
  console.error(`wrote ${inSentence([join(folder, name), ...Object.keys(files)])}`);
  console.log(args.flag("json") ? json : text);
}

async function checkFree(
  path: string,
  { files, option }: { files: readonly string[]; option: string },
): Promise<void> {
  for (const file of files) {
    if (!await exists(file)) continue;
    const place = file === path ? `"${path}" is there already` : `"${path}" holds an earlier result, "${file}"`;
    throw new UsageError(`${place}: --${option} names another place, --overwrite writes over it`);
  }
}

/** The folder and those above it that are not there, innermost first. */
async function missingFolders(folder: string): Promise<string[]> {
  const missing: string[] = [];
  try {
    for (let path = resolve(folder); !await exists(path); path = dirname(path)) missing.push(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error; // what may not be read is not removed
  }
  return missing;
}
