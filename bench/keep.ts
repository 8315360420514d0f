/**
 * What a run has measured, on disk as it goes: a group's file and the summary after each comparison, the report after each group. A
 * run that is ended before its time loses the comparison it was at, and says what of it is there.
 *
 * @module
 */
import { join } from "@std/path";
import { writeFileAtomic } from "../lib/io/files.ts";
import { type Aim, type Facts, loadAverage, type Measurement } from "./record.ts";
import { benchReport } from "./report.ts";

/** What is on disk of a run. */
export interface Kept {
  /** The machine and what ran on it; versions are added as peers tell them. */
  facts: Facts;
  /** The rows held against aims. */
  aims: Aim[];
  /** What was left out, and why. */
  skipped: { what: string; reason: string }[];
  /** The measurements of each group. */
  groups: Map<string, Measurement[]>;
  /** Seconds that each group took which has ended. */
  seconds: Map<string, number>;
}

/** Options of {@linkcode keep}. */
export interface KeepOptions {
  /** Folder of the files. */
  folder: string;
  /** The groups that were asked for. */
  names: readonly string[];
  /** A file for a copy of the summary. */
  copy?: string;
  /** When the run began, by `performance.now()`. */
  began: number;
}

/** What of the groups is there; undefined where all of them have ended. */
export function partOf(
  { groups, seconds }: Pick<Kept, "groups" | "seconds">,
  names: readonly string[],
): string | undefined {
  const parts = names.filter((name) => !seconds.has(name)).map((name) => {
    const count = groups.get(name)?.length ?? 0;
    return count === 0 ? `nothing of ${name}` : `${count} row${count === 1 ? "" : "s"} of ${name}`;
  });
  if (parts.length === 0) return undefined;
  return ["a part of the run", [...seconds.keys()].map((name) => `all of ${name}`), parts].flat().join(", ")
    .replace("run, ", "run: ");
}

/** Writes the file of each group asked for that has rows, and the summary. */
export async function keep(kept: Kept, options: KeepOptions): Promise<void> {
  const { folder, names, copy, began } = options;
  const { facts, aims, skipped, groups, seconds } = kept;
  const part = partOf(kept, names);
  for (const [name, measurements] of groups) {
    const isWhole = seconds.has(name);
    const content = { ...facts, ...(isWhole ? { seconds: seconds.get(name) } : { part }), measurements };
    await writeFileAtomic(join(folder, `${name}.json`), JSON.stringify(content, null, 1) + "\n");
  }
  const summary = {
    ...(part ? { part } : {}),
    ...facts,
    aims,
    loadAtEnd: loadAverage(),
    seconds: Math.round((performance.now() - began) / 1000),
    secondsOfGroups: Object.fromEntries(seconds),
    skipped,
  };
  const text = JSON.stringify(summary, null, 2) + "\n";
  for (const path of [join(folder, "summary.json"), ...(copy ? [copy] : [])]) await writeFileAtomic(path, text);
}

/** {@linkcode keep}, and the report. */
export async function keepReport(kept: Kept, options: KeepOptions): Promise<void> {
  await keep(kept, options);
  const part = partOf(kept, options.names);
  await writeFileAtomic(join(options.folder, "report.html"), await benchReport({ ...kept, ...(part ? { part } : {}) }));
}
