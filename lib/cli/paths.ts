/** Paths that the user named: what is there, and what may be meant where nothing is. @module */
import { basename, dirname, extname, isAbsolute, join, resolve } from "@std/path";
import { exists } from "../io/files.ts";
import { listed, nearest } from "../platform/nearest.ts";
import { errorMessage } from "../platform/error_message.ts";

/** Folders that this run made, absolute: none that a user may have meant. */
const made = new Set<string>();

/** Makes advice pass over folders that this run makes; what is returned ends that. */
export function passOver(folders: readonly string[]): () => void {
  for (const folder of folders) made.add(folder);
  return () => folders.forEach((folder) => made.delete(folder));
}

/**
 * What is at a path that the user named.
 *
 * @throws {Error} If nothing is; the message names it.
 */
export async function checkPath(path: string): Promise<Deno.FileInfo> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      const near = await pathAdvice(path);
      throw new Error(`Cannot read "${path}" as it must be a file or a folder: there is none${near && `; ${near}`}`, {
        cause: error,
      });
    }
    throw new Error(`Cannot read "${path}": ${errorMessage(error)}`, { cause: error });
  }
}

/**
 * What may be meant by a path at which there is nothing: a pattern that was quoted, a name near it, or what there is.
 *
 * @returns Empty when the folder cannot be looked at.
 */
export async function pathAdvice(path: string): Promise<string> {
  if (/[*?]/.test(path)) return "a pattern in quotes is not expanded: type it without the quotes";
  let [folder, wanted] = [dirname(path), path];
  while (folder !== dirname(folder) && !await isFolder(folder)) [folder, wanted] = [dirname(folder), folder];
  const name = wanted.slice(folder === "." && !wanted.startsWith("./") ? 0 : folder.length).replace(/^[/\\]/, "");
  const names = (await namesIn(folder)).filter((name) => made.size === 0 || !made.has(resolve(folder, name)));
  const meant = nearestFile(name, names);
  if (meant !== undefined && withoutNumbers(meant) !== withoutNumbers(name)) {
    const rest = path.slice(wanted.length).replace(/^[/\\]/, "");
    const near = folder === "." ? meant : join(folder, meant);
    const whole = rest !== "" && await exists(join(near, rest)) ? join(near, rest) : near;
    return `did you mean ${JSON.stringify(whole)}?`;
  }
  const place = isAbsolute(folder) ? folder : resolvedOrSame(folder);
  if (names.length === 0) return "";
  return `name one that is there: ${JSON.stringify(place)} holds ${listed(names.sort(), 6)}`;
}

/** The nearest name; of a file, one of the same kind by what stands before its extension, so that the extension is no likeness. */
function nearestFile(name: string, names: readonly string[]): string | undefined {
  const kind = extname(name);
  const stems = names.filter((other) => extname(other) === kind).map((other) => basename(other, kind));
  const stem = kind === "" ? undefined : nearest(basename(name, kind), stems);
  const near = stem === undefined
    ? nearest(name, names.filter((other) => kind === "" || extname(other) !== kind))
    : undefined;
  return stem === undefined ? near : stem + kind;
}

/** Numbers number patients: another one is another patient's file, not a slip of the hand. */
function withoutNumbers(name: string): string {
  return name.replaceAll(/\d+/g, "#");
}

function resolvedOrSame(folder: string): string {
  try {
    return resolve(folder);
  } catch {
    return folder; // where the user stands may not be read
  }
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isDirectory, () => false);
}

/** Names in a folder, hidden ones left out; none when it cannot be read. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).filter((name) =>
      !name.startsWith(".")
    );
  } catch {
    return [];
  }
}
