/** Files that are whole or absent: write under a temporary name, then rename. @module */
import { dirname } from "@std/path";

/**
 * Writes `content` to `path` so that no reader ever sees half of it; makes the folder when missing.
 *
 * @throws {Error} If the folder cannot be made or written; the message names `path`.
 */
export async function writeFileAtomic(path: string, content: Uint8Array | string): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    await Deno.mkdir(dirname(path), { recursive: true });
    if (typeof content === "string") await Deno.writeTextFile(temporary, content);
    else await Deno.writeFile(temporary, content);
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw new Error(`Cannot write "${path}": ${(error as Error).message}`, { cause: error });
  }
}
