/** CSV files, plain or gzipped, with the checks a data set needs. @module */
import { checkValue, TEXT } from "../platform/options.ts";
import { didYouMean, listed } from "../platform/nearest.ts";
import { parseCsv } from "./_csv_parse.ts";
import { readCsvText } from "./_csv_text.ts";
import { errorMessage } from "../platform/error_message.ts";

/** A CSV file in memory. */
export interface Table {
  /** File it came from, for messages. */
  path: string;
  /** Names in the first row. */
  columns: readonly string[];
  /** The other rows; each has as many fields as there are columns. */
  rows: readonly (readonly string[])[];
  /** Place of a column. Throws a SyntaxError that names the file, the column wanted and those found. */
  column(name: string): number;
}

/** The error for a column that a table does not have. */
export class ColumnError extends SyntaxError {
  /** Name shown in stack traces. */
  override name = "ColumnError";
  /** The table's file. */
  readonly path: string;
  /** The column wanted. */
  readonly column: string;
  /** Those it has. */
  readonly columns: readonly string[];

  /**
   * An error about a table's columns.
   *
   * @param path The table's file.
   * @param column The column wanted.
   * @param columns Those it has.
   */
  constructor(path: string, column: string, columns: readonly string[]) {
    super(
      `Cannot read "${path}" as it must have a column "${column}": its columns are ${
        listed(columns.map((name) => JSON.stringify(name)))
      }${didYouMean(column, columns)}`,
    );
    this.path = path;
    this.column = column;
    this.columns = columns;
  }
}

/** What a CSV file holds, for `inspect`. */
export interface CsvDescription {
  /** File. */
  path: string;
  /** Always `csv`. */
  format: "csv";
  /** What stands between its fields. */
  separator: string;
  /** Names in the first row. */
  columns: string[];
  /** Rows below it. */
  rows: number;
  /** Rows with another number of fields than the first. */
  raggedRows: number;
}

async function readRows(path: string): Promise<{ header: string[]; rows: string[][]; separator: string }> {
  checkValue("read a CSV", "its path", path, TEXT);
  const all = await readCsvText(path);
  const declared = /^sep=(.)\r?\n/i.exec(all); // Excel's own first line
  const text = declared ? all.slice(declared[0].length) : all;
  const separator = declared?.[1] ?? findSeparator(text);
  let rows: string[][];
  try {
    rows = parseCsv(text, separator);
  } catch (error) {
    throw new SyntaxError(`Cannot read "${path}" as CSV as ${errorMessage(error)}`);
  }
  const header = rows.shift();
  if (!header) {
    throw new SyntaxError(`Cannot read "${path}" as CSV as its first row must name the columns: it is empty`);
  }
  return { header: header.map((name) => name.trim()), rows, separator };
}

/** The separator that the first row has most of, outside quotation marks: a comma, a semicolon or a tab. */
function findSeparator(text: string): string {
  const end = text.search(/[\r\n]/);
  const first = (end < 0 ? text : text.slice(0, end)).slice(0, 1 << 20).replaceAll(/"[^"]*"/g, "");
  const count = (separator: string): number => first.split(separator).length;
  return [";", "\t"].reduce((best, other) => count(other) > count(best) ? other : best, ",");
}

/**
 * Reads a CSV file whose first row names the columns; blanks around a name are no part of it. Its separator (comma, semicolon or
 * tab) is found in that row, unless a line `sep=;` stands before it, and gzip by the first bytes, not by the name.
 *
 * @param path File to read.
 * @throws {SyntaxError} If the file is not CSV in UTF-8 (or UTF-16 with its mark), is empty, a row has another number of fields than the first, or it is
 * larger than a table may be (2 million rows, 16 million fields, 500 MB; compressed 64 MiB or a hundredfold).
 * Columns at the end without a name are left out if they are blank.
 * @throws {Deno.errors.NotFound} If there is no such file.
 */
export async function readCsv(path: string): Promise<Table> {
  const { header, rows, separator } = await readRows(path);
  const named = header.findLastIndex((name) => name !== "") + 1; // NIH's files end with columns without name or value
  const fits = (row: string[]): boolean =>
    row.length >= named && row.length <= header.length && row.slice(named).every((cell) => cell === "");
  const ragged = rows.findIndex((row) => row.length !== named && !fits(row));
  if (ragged >= 0) {
    const by = separator === "," ? "" : ` separated by ${JSON.stringify(separator)}`;
    throw new SyntaxError(
      `Cannot read "${path}" as CSV as row ${rowNumber(ragged)} must have ${named} fields${by}: it has ${
        rows[ragged]!.length
      }`,
    );
  }
  for (const row of rows) if (row.length > named) row.length = named;
  return makeTable(path, header.slice(0, named), rows);
}

/** A table whose rows have as many fields as there are columns. */
export function makeTable(path: string, columns: readonly string[], rows: readonly (readonly string[])[]): Table {
  return {
    path,
    columns,
    rows,
    column(name: string): number {
      const index = columns.indexOf(name.trim());
      if (index < 0) throw new ColumnError(path, name, columns);
      if (columns.indexOf(name.trim(), index + 1) >= 0) {
        throw new SyntaxError(`Cannot read "${path}" as it must have one column "${name}": it has several`);
      }
      return index;
    },
  };
}

/** The number messages give to `table.rows[index]`: the header is row 1. */
export function rowNumber(index: number): number {
  return index + 2;
}

/**
 * Describes a CSV file whose rows may differ in length.
 *
 * @throws {SyntaxError} As {@linkcode readCsv}, but not for the number of fields.
 */
export async function describeCsv(path: string): Promise<CsvDescription> {
  const { header, rows, separator } = await readRows(path);
  const raggedRows = rows.filter((row) => row.length !== header.length).length;
  return { path, format: "csv", separator, columns: header, rows: rows.length, raggedRows };
}
