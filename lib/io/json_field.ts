/** JSON within a file's metadata. @module */
import { quoted } from "./_errors.ts";

/**
 * The value of a metadata field that holds JSON; what it must be is for the caller to check.
 *
 * @throws {SyntaxError} If the field is missing or no JSON; the message names the file and the field.
 */
export function jsonField(
  metadata: Readonly<Record<string, unknown>>,
  { path, field }: { path: string; field: string },
): unknown {
  const text = Object.hasOwn(metadata, field) ? metadata[field] : undefined;
  try {
    if (typeof text === "string") return JSON.parse(text);
  } catch { /* said below */ }
  const actual = text === undefined ? "it is missing" : `it is ${quoted(String(text))}`;
  throw new SyntaxError(`Cannot read "${path}" as its metadata field "${field}" must be JSON: ${actual}`);
}
