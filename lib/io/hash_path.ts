/** SHA-256 of what lies at a path. @module */
import { createHash } from "node:crypto";
import { join } from "@std/path";
import { byCodePoint } from "../text/code_point_order.ts";

/**
 * SHA-256 (hex) of a file, read in pieces, or of a folder's files by name, without those in folders of its own.
 *
 * @throws {Error} If it cannot be read.
 */
export async function hashPath(path: string | URL): Promise<string> {
  const hash = createHash("sha256");
  if (typeof path === "string" && (await Deno.stat(path)).isDirectory) {
    const names: string[] = [];
    for await (const entry of Deno.readDir(path)) if (entry.isFile) names.push(entry.name);
    for (const name of names.sort(byCodePoint)) hash.update(JSON.stringify([name, await hashPath(join(path, name))]));
    return hash.digest("hex");
  }
  const body = typeof path === "string" || path.protocol === "file:"
    ? (await Deno.open(path)).readable
    : (await fetch(path)).body!;
  for await (const bytes of body) hash.update(bytes);
  return hash.digest("hex");
}
