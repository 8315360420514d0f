/** Locks that end with their process. @module */

/** The error for a lock that another process holds. */
export class LockedError extends Error {
  /** Name shown in stack traces. */
  override name = "LockedError";
  /** The lock's file. */
  readonly path: string;

  /**
   * An error about a lock.
   *
   * @param path The lock's file.
   */
  constructor(path: string) {
    super(`Cannot lock "${path}" as no other run may hold it: another one does`);
    this.path = path;
  }
}

/** A lock that is held. */
export interface HeldLock {
  /** Lets it go and removes its file. */
  release(): Promise<void>;
}

/**
 * Locks a file, made when missing, for this process alone. The system lets it go when the process ends, however it ends, so a
 * file that was left behind locks nobody out. The folder must be there.
 *
 * @throws {LockedError} If another process holds it.
 */
export async function lockFile(path: string): Promise<HeldLock> {
  for (;;) {
    const file = await Deno.open(path, { write: true, create: true });
    if (!await file.tryLock(true)) {
      file.close();
      throw new LockedError(path);
    }
    if (await isAt(file, path)) {
      return {
        release: async () => {
          await Deno.remove(path).catch(() => {}); // Windows keeps open files; the lock ends all the same
          file.close();
        },
      };
    }
    file.close(); // it was removed by the run that held it, between the opening and the locking
  }
}

/** Whether the open file is still the one of that path; where files have no numbers, or the path may not be read, it is believed. */
async function isAt(file: Deno.FsFile, path: string): Promise<boolean> {
  try {
    const { ino } = await file.stat();
    return ino === null || (await Deno.stat(path)).ino === ino;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound);
  }
}
