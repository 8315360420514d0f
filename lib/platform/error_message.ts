/** What went wrong, in words. @module */

/** The message of whatever was thrown: codecs throw texts and numbers too. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
