/** RFC 4180, read with bounds: the number of rows and fields is counted before they are made. @module */

/** Most rows and fields of a table: five times the largest public set of radiographs. */
const MAX_ROWS = 2_000_000, MAX_FIELDS = 16_000_000;

/**
 * Splits a text into rows of fields. Lines end with LF, CRLF or CR; empty ones are passed over. A quotation mark within a field
 * that does not begin with one is a character like others, as Python's `csv` takes it.
 *
 * @param text The text; a byte order mark is passed over.
 * @throws {Error} If a quoted field does not end, or goes on after its end, or there are too many rows or fields.
 */
export function parseCsv(text: string, separator: string): string[][] {
  const rows: string[][] = [];
  const between = separator.charCodeAt(0);
  let row: string[] = [];
  let fields = 0;
  for (let at = text.charCodeAt(0) === 0xfeff ? 1 : 0; at < text.length || row.length > 0;) {
    const [field, end] = text[at] === '"' ? quotedField(text, at, rows.length + 1) : plainField(text, at, between);
    const code = text.charCodeAt(end); // NaN at the end of the text
    const isLast = code !== between;
    if (isLast && end < text.length && code !== 0x0a && code !== 0x0d) {
      throw new Error(`a quoted field must end before a separator or a line end: in row ${rows.length + 1} it goes on`);
    }
    if (++fields > MAX_FIELDS) throw new Error(`it must have at most ${MAX_FIELDS} fields: it has more`);
    const isEmptyLine = isLast && row.length === 0 && end === at;
    if (!isEmptyLine) row.push(field);
    at = end + 1;
    if (!isLast) continue;
    if (code === 0x0d && text.charCodeAt(at) === 0x0a) at++;
    if (!isEmptyLine && rows.push(row) > MAX_ROWS) {
      throw new Error(`it must have at most ${MAX_ROWS} rows: it has more`);
    }
    row = [];
  }
  return rows;
}

/** A field from `at` on, and the place of what ends it. */
function plainField(text: string, at: number, between: number): [string, number] {
  let end = at;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === between || code === 0x0a || code === 0x0d) break;
  }
  return [text.slice(at, end), end];
}

function quotedField(text: string, at: number, row: number): [string, number] {
  for (let end = text.indexOf('"', at + 1); end >= 0; end = text.indexOf('"', end + 2)) {
    if (text[end + 1] !== '"') return [text.slice(at + 1, end).replaceAll('""', '"'), end + 1];
  }
  throw new Error(`a quotation mark must be closed: the one in row ${row} is not`);
}
