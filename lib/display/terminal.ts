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

/**
 * A line broken at blanks so that no word is cut by the end of the terminal's line; what stands in quotation marks stays together
 * where it can. A longer word has a line of its own.
 *
 * @param line One line.
 * @param columns Most characters of a line.
 * @param indent What later lines begin with.
 */
export function wrapped(line: string, columns: number, indent = ""): string {
  const lines: string[] = [];
  let rest = line, lead = "";
  while (lead.length + rest.length > columns) {
    const room = columns - lead.length;
    const end = lastBlank(rest, room);
    if (end === -1) break;
    lines.push(lead + rest.slice(0, end));
    rest = rest.slice(end + 1);
    lead = indent;
  }
  return [...lines, lead + rest].join("\n");
}

/** Where a text of more than `room` characters is broken: the last blank outside quotation marks, or else the last or the first. */
function lastBlank(text: string, room: number): number {
  let quoted = false, end = -1;
  for (let i = 0; i <= room; i++) {
    if (text[i] === '"') quoted = !quoted;
    else if (text[i] === " " && !quoted && i > 0) end = i;
  }
  if (end > 0) return end;
  const last = text.lastIndexOf(" ", room);
  return last > 0 ? last : text.indexOf(" ", 1);
}

/** Lines that are no prose: of a table, of a command to copy, of JSON. */
const SET = /^[\s[{"]|\S {2,}\S/;

/** An indented item of a list, such as "files: a, b". */
const ITEM = /^(\s+)[a-z]+: [^["]/;

/** Prose broken at blanks for a terminal of so many columns; other lines as they are. */
export function proseLines(text: string, columns: number): string {
  return text.split("\n").map((line) => {
    const indent = ITEM.exec(line)?.[1];
    if (indent !== undefined) return wrapped(line, columns, `${indent}  `);
    return SET.test(line) ? line : wrapped(line, columns);
  }).join("\n");
}
