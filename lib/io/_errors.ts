/** One-line errors that name the file. @module */

/** A string from a file as it may stand in a message: quoted, one line, at most 80 characters. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}

/** A value from a file's JSON as it may stand in a message: one line, at most 80 characters. */
export function shownValue(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** The error for a file that is not what it should be: `Cannot read "<file>" as <format>: <reason>`. */
export function unreadable(file: string, format: string, reason: string): SyntaxError {
  return new SyntaxError(`Cannot read "${file}" as ${format}: ${reason}`);
}
