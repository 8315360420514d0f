/**
 * RFC 4180, read with bounds: rows and fields are counted as they are made. `parse` of @std/csv, which tests read tables with, makes
 * every row of a file before one can be counted, refuses the lone quotation marks that reports are full of, and ends no line at CR.
 *
 * @module
 */

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
  for (let offset = text.charCodeAt(0) === 0xfeff ? 1 : 0; offset < text.length || row.length > 0;) {
    const [field, end] = text[offset] === '"'
      ? quotedField(text, offset, rows.length + 1)
      : plainField(text, offset, between);
    const code = text.charCodeAt(end); // NaN at the end of the text
    const isLast = code !== between;
    if (isLast && end < text.length && code !== 0x0a && code !== 0x0d) {
      throw new Error(`a quoted field must end before a separator or a line end: in row ${rows.length + 1} it goes on`);
    }
    if (++fields > MAX_FIELDS) throw new Error(`it must have at most ${MAX_FIELDS} fields: it has more`);
    const isEmptyLine = isLast && row.length === 0 && end === offset;
    if (!isEmptyLine) row.push(field);
    offset = end + 1;
    if (!isLast) continue;
    if (code === 0x0d && text.charCodeAt(offset) === 0x0a) offset++;
    if (!isEmptyLine && rows.push(row) > MAX_ROWS) {
      throw new Error(`it must have at most ${MAX_ROWS} rows: it has more`);
    }
    row = [];
  }
  return rows;
}

/** A field from `at` on, and the place of what ends it. */
function plainField(text: string, offset: number, between: number): [string, number] {
  let end = offset;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === between || code === 0x0a || code === 0x0d) break;
  }
  return [text.slice(offset, end), end];
}

function quotedField(text: string, offset: number, row: number): [string, number] {
  for (let end = text.indexOf('"', offset + 1); end >= 0; end = text.indexOf('"', end + 2)) {
    if (text[end + 1] !== '"') return [text.slice(offset + 1, end).replaceAll('""', '"'), end + 1];
  }
  throw new Error(`a quotation mark must be closed: the one in row ${row} is not`);
}
