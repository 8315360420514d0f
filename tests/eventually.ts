/** Waiting for what comes beside the work, however busy the machine is. @module */

/** So long that only what never comes fails: seconds. */
const PATIENCE = 300;

/**
 * Waits until a condition holds.
 *
 * @param holds Asked again and again.
 * @param what What is waited for, for the error.
 * @param everyMs How often it is asked, milliseconds.
 * @throws {Error} After five minutes.
 */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  what: string,
  everyMs = 5,
): Promise<void> {
  for (const end = performance.now() + 1000 * PATIENCE; !await holds();) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
