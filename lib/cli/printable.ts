/** Text for a terminal. @module */
import { besideBar } from "../display/progress.ts";
import { proseLines, terminalColumns } from "../display/terminal.ts";

// deno-lint-ignore no-control-regex
const STEERING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** The text on one line, its control characters, which could steer a terminal, written as JSON writes them. */
export function printable(text: string): string {
  return text.replace(STEERING, escaped).replace(/[\t\n]/g, escaped);
}

/** Most characters of an error: what a terminal of 80 columns and 24 lines shows. */
const MAX_ERROR = 1600;

/** The text of an error on one line, cut in the middle where it is longer than a screen. */
export function errorLine(text: string): string {
  const line = printable(text.replaceAll(/\s*\n\s*/g, " "));
  if (line.length <= MAX_ERROR) return line;
  const half = (MAX_ERROR - 5) >> 1;
  return `${line.slice(0, half)} ... ${line.slice(-half)}`;
}

/**
 * From here on `console.log` and `console.error` write control characters as JSON does, but for line ends and tabs: a name in a
 * file, a column or a path reaches the terminal as text, whoever prints it. On a terminal prose is broken between words, and a
 * progress bar makes room. Strings only; this program prints nothing else.
 */
export function guardTerminal(): void {
  for (const name of ["log", "error", "warn"] as const) {
    const write = console[name].bind(console);
    const isTerminal = (name === "log" ? Deno.stdout : Deno.stderr).isTerminal();
    const shown = (text: string): string => {
      const safe = text.replace(STEERING, escaped);
      return isTerminal ? proseLines(safe, terminalColumns()) : safe;
    };
    console[name] = (...values: unknown[]) => {
      const print = (): void => write(...values.map((value) => typeof value === "string" ? shown(value) : value));
      if (isTerminal) besideBar(print);
      else print();
    };
  }
}
