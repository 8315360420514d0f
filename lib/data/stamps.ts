/** What tells that images were replaced, without reading them. @module */
import { checkRecords, RECORD, TEXT } from "../platform/options.ts";
import { stampOf } from "./pixels/location.ts";
import type { Case } from "./types.ts";

/**
 * Size and time of change of each case's image file, such as `13212 2026-03-01T10:00:00.000Z`, the time that of the archive for
 * one within it; empty for an image that is in no file.
 *
 * @throws {Error} If a file is not there.
 */
export async function imageStamps(cases: readonly Pick<Case, "path" | "part">[]): Promise<string[]> {
  checkRecords("look at images", "cases", cases, { path: TEXT, part: RECORD });
  const stamps: string[] = [];
  for (const { path, part } of cases) {
    const location = part ?? path;
    const stamp = location === undefined ? undefined : await stampOf(location);
    const changed = stamp?.changed ?? null;
    stamps.push(stamp ? `${stamp.bytes} ${changed === null ? "" : new Date(changed).toISOString()}` : "");
  }
  return stamps;
}
