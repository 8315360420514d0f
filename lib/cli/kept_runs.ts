/** Runs of a long command that are kept as they are made, so that one that was stopped goes on. @module */
import type { FewShotRun } from "../eval/probe/few_shot.ts";
import { exists, writeFileAtomic } from "../io/files.ts";

/** Runs by name, and where they go. */
export interface KeptRuns {
  /** Those made so far. */
  runs: Map<string, FewShotRun>;
  /** Keeps a further one. */
  keep(key: string, run: FewShotRun): Promise<void>;
  /** Removes the file, once the result stands elsewhere. */
  end(): Promise<void>;
}

/**
 * The runs that a file keeps, where they were made under the same settings; others are left and said on stderr.
 *
 * @param settings All that the figures depend on.
 * @throws {SyntaxError} If the file is damaged.
 */
export async function keptRuns(path: string, settings: unknown): Promise<KeptRuns> {
  const own = JSON.stringify(settings);
  const runs = new Map<string, FewShotRun>();
  if (await exists(path)) {
    const before = readKept(await Deno.readTextFile(path), path);
    if (before.settings !== own) console.error(`"${path}" was made under other settings: its runs are made again`);
    else for (const [key, run] of before.runs) runs.set(key, run);
  }
  return {
    runs,
    async keep(key, run) {
      runs.set(key, run);
      await writeFileAtomic(path, JSON.stringify({ settings: own, runs: [...runs] }) + "\n", { isPrivate: true });
    },
    end: () => Deno.remove(path).catch(() => {}),
  };
}

function readKept(text: string, path: string): { settings: string; runs: [string, FewShotRun][] } {
  try {
    const { settings, runs } = JSON.parse(text);
    const isRun = (run: unknown): boolean =>
      Array.isArray(run) && typeof run[0] === "string" && Number.isFinite(run[1]?.accuracy);
    if (typeof settings === "string" && Array.isArray(runs) && runs.every(isRun)) return { settings, runs };
  } catch {
    // told below
  }
  throw new SyntaxError(
    `Cannot read "${path}" as the runs kept by a command that was stopped: remove it to start anew`,
  );
}
