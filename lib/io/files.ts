/** Files that are whole or absent: write under a temporary name, then rename. @module */
import { dirname } from "@std/path";
import { type OpenFile, system } from "../platform/system.ts";
import { errorMessage } from "../platform/error_message.ts";

/** Options of the functions that write a file. */
export interface WriteFileOptions {
  /**
   * Whether the file may hold what was seen of a patient: its owner alone may then read it (mode 0600; Windows has no such mode).
   * @default {false}
   */
  isPrivate?: boolean;
}

/**
 * Writes `path` through `write` so that no reader ever sees half of it; makes the folder when missing.
 *
 * @throws {Error} If the folder cannot be made or written, or `write` fails; the message names `path`.
 */
export async function writeFileAtomicWith(
  path: string,
  write: (file: OpenFile) => Promise<void>,
  options: WriteFileOptions = {},
): Promise<void> {
  const temporary = temporaryName(path);
  underWay.add(temporary);
  try {
    const file = await create(temporary, options);
    try {
      await write(file);
    } finally {
      file.close();
    }
    await system.rename(temporary, path);
  } catch (error) {
    await system.remove(temporary).catch(() => {});
    throw cannotWrite(path, error);
  } finally {
    underWay.delete(temporary);
  }
}

const underWay = new Set<string>();

/** The temporary files that are being written: a process that ends before they are whole removes them. */
export function filesUnderWay(): string[] {
  return [...underWay];
}

const temporaryName = (path: string): string => `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;

const cannotWrite = (path: string, error: unknown): Error =>
  new Error(`Cannot write "${path}": ${errorMessage(error)}`, { cause: error });

/** A new file, in a folder that is made when missing. */
async function create(path: string, { isPrivate = false }: WriteFileOptions = {}): Promise<OpenFile> {
  const open = (): Promise<OpenFile> =>
    system.open(path, { write: true, createNew: true, ...(isPrivate ? { mode: 0o600 } : {}) });
  return await open().catch(async (error) => {
    if (!(error instanceof system.errors.NotFound)) throw error;
    await system.mkdir(dirname(path), { recursive: true }); // only when it is missing: it needs a wider permission
    return await open();
  });
}

/**
 * Makes sure, before long work, that its result can be written at `path`: makes the folder when missing, and tries.
 *
 * @throws {Error} If a folder stands there, or nothing can be written; the message names `path`.
 */
export async function checkWritable(path: string): Promise<void> {
  const temporary = temporaryName(path);
  try {
    (await create(temporary)).close();
    await system.remove(temporary);
  } catch (error) {
    throw cannotWrite(path, error);
  }
  const isFolder = await system.stat(path).then((info) => info.isDirectory, () => false);
  if (isFolder) throw new Error(`Cannot write "${path}" as it must be a file: it is a folder`);
}

/** Writes all of `bytes` to `file`. */
export async function writeAll(file: OpenFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}

/**
 * Writes `content` to `path` so that no reader ever sees half of it; makes the folder when missing.
 *
 * @throws {Error} If the folder cannot be made or written; the message names `path`.
 */
export function writeFileAtomic(
  path: string,
  content: Uint8Array | string,
  options: WriteFileOptions = {},
): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return writeFileAtomicWith(path, (file) => writeAll(file, bytes), options);
}

/** Whether a file or folder is there. */
export async function exists(path: string): Promise<boolean> {
  try {
    await system.stat(path);
    return true;
  } catch (error) {
    if (error instanceof system.errors.NotFound || error instanceof system.errors.NotADirectory) return false;
    throw error;
  }
}
