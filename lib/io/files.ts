/** Files that are whole or absent: write under a temporary name, then rename. @module */
import { dirname } from "@std/path";

/**
 * Writes `path` through `write` so that no reader ever sees half of it; makes the folder when missing.
 *
 * @throws {Error} If the folder cannot be made or written, or `write` fails; the message names `path`.
 */
export async function writeFileAtomicWith(path: string, write: (file: Deno.FsFile) => Promise<void>): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  const open = (): Promise<Deno.FsFile> => Deno.open(temporary, { write: true, createNew: true });
  try {
    const file = await open().catch(async (error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      await Deno.mkdir(dirname(path), { recursive: true }); // only when it is missing: it needs a wider permission
      return await open();
    });
    try {
      await write(file);
    } finally {
      file.close();
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw new Error(`Cannot write "${path}": ${(error as Error).message}`, { cause: error });
  }
}

/** Writes all of `bytes` to `file`. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}

/**
 * Writes `content` to `path` so that no reader ever sees half of it; makes the folder when missing.
 *
 * @throws {Error} If the folder cannot be made or written; the message names `path`.
 */
export function writeFileAtomic(path: string, content: Uint8Array | string): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return writeFileAtomicWith(path, (file) => writeAll(file, bytes));
}
