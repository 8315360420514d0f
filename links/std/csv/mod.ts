/**
 * Offline stand-in for `jsr:@std/csv`: its `parse` and `stringify` over npm's csv-parse.
 *
 * @module
 */
import { parse as parseSync } from "csv-parse/sync";

/** Options of {@linkcode parse}. */
export interface ParseOptions {
  /** Field separator. @default {","} */
  separator?: string;
  /** First character of a comment line. */
  comment?: string;
  /** Whether to trim leading white space of a field. @default {false} */
  trimLeadingSpace?: boolean;
  /** Whether to skip the first row; with it (or `columns`) the rows are records. @default {false} */
  skipFirstRow?: boolean;
  /** Column names. */
  columns?: readonly string[];
  /** Fields a row must have: -1 any, 0 as many as the first. */
  fieldsPerRecord?: number;
}

function rowsOf(input: string, options: ParseOptions): string[][] {
  try {
    return parseSync(input, {
      bom: true,
      delimiter: options.separator ?? ",",
      comment: options.comment ?? null,
      ltrim: options.trimLeadingSpace ?? false,
      relax_column_count: options.fieldsPerRecord !== 0,
      skip_empty_lines: true,
    }) as string[][];
  } catch (error) {
    throw new SyntaxError((error as Error).message);
  }
}

/** Parses CSV text into rows. */
export function parse(input: string): string[][];
/** Parses CSV text into records under the first row's or the given names. */
export function parse(
  input: string,
  options: ParseOptions & ({ skipFirstRow: true } | { columns: readonly string[] }),
): Record<string, string>[];
/** Parses CSV text into rows. */
export function parse(input: string, options: ParseOptions): string[][];
export function parse(input: string, options: ParseOptions = {}): string[][] | Record<string, string>[] {
  const rows = rowsOf(input, options);
  const first = options.skipFirstRow ? rows.shift() : undefined;
  const names = options.columns ?? first;
  if (!names) return rows;
  return rows.map((row, i) => {
    if (row.length !== names.length) {
      throw new SyntaxError(
        `Syntax error on line ${
          i + (first ? 2 : 1)
        }: The record has ${row.length} fields, but the header has ${names.length} fields`,
      );
    }
    return Object.fromEntries(names.map((name, j) => [name, row[j]!]));
  });
}

/** Options of {@linkcode stringify}. */
export interface StringifyOptions {
  /** Columns to write, in order. */
  columns?: readonly string[];
  /** Whether to write the column names first. @default {true} */
  headers?: boolean;
  /** Field separator. @default {","} */
  separator?: string;
}

/** Writes rows or records as CSV text (CRLF line ends, RFC 4180 quoting). */
export function stringify(
  data: readonly (readonly unknown[] | Readonly<Record<string, unknown>>)[],
  options: StringifyOptions = {},
): string {
  const { columns, headers = true, separator = "," } = options;
  const field = (value: unknown): string => {
    const text = value === null || value === undefined ? "" : String(value);
    return text.includes(separator) || /["\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const line = (values: readonly unknown[]): string => values.map(field).join(separator) + "\r\n";
  const head = headers && columns ? line(columns) : "";
  return head + data.map((row) => {
    if (Array.isArray(row)) return line(row);
    if (!columns) throw new TypeError("Cannot stringify records without columns");
    return line(columns.map((name) => (row as Record<string, unknown>)[name]));
  }).join("");
}
