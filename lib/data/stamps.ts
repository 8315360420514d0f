/** What tells that images were replaced, without reading them. @module */
import type { Case } from "./types.ts";

/**
 * Size and time of change of each case's image file, such as `13212 2026-03-01T10:00:00.000Z`; empty for an image that is no
 * file of its own.
 *
 * @throws {Error} If a file is not there.
 */
export async function imageStamps(cases: readonly Pick<Case, "path">[]): Promise<string[]> {
  const stamps: string[] = [];
  for (const { path } of cases) {
    const info = path === undefined ? undefined : await Deno.stat(path);
    stamps.push(info ? `${info.size} ${info.mtime?.toISOString() ?? ""}` : "");
  }
  return stamps;
}
