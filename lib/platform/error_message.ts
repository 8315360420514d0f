/** What went wrong, in words. @module */

/** The code of an error of Node's modules, such as `ERR_BUFFER_TOO_LARGE` where data inflate to more than they may. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** The message of whatever was thrown: codecs throw texts and numbers too. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
