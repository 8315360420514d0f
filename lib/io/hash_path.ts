/** SHA-256 of what lies at a path. @module */
import { join } from "@std/path";
import { byCodePoint } from "../text/code_point_order.ts";
import { newSha256 } from "../platform/sha256.ts";
import { system } from "../platform/system.ts";

/**
 * SHA-256 (hex) of a file, read in pieces, or of a folder's files by name, without those in folders of its own.
 *
 * @throws {Error} If it cannot be read.
 */
export async function hashPath(path: string | URL): Promise<string> {
  const hash = newSha256();
  if (typeof path === "string" && (await system.stat(path)).isDirectory) {
    const names: string[] = [];
    for await (const entry of system.readDir(path)) if (entry.isFile) names.push(entry.name);
    for (const name of names.sort(byCodePoint)) hash.update(JSON.stringify([name, await hashPath(join(path, name))]));
    return hash.digest("hex");
  }
  const body = typeof path === "string" || path.protocol === "file:"
    ? (await system.open(path)).readable
    : (await fetch(path)).body!;
  for await (const bytes of body) hash.update(bytes);
  return hash.digest("hex");
}
