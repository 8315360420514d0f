/** The terminal that text goes to. @module */
import { isDeno } from "../platform/runtime.ts";

/** Columns of the terminal, 80 where it does not say. */
export function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}

/** Columns that a text on standard output may have: without a terminal, as many as it likes. */
export function outputColumns(): number {
  return isDeno && Deno.stdout.isTerminal() ? terminalColumns() : Infinity;
}
