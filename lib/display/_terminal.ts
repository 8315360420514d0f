/** The terminal that text goes to. @module */

/** Columns of the terminal, 80 where it does not say. */
export function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}
