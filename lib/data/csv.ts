/** CSV files, plain or gzipped, with the checks a data set needs. @module */
import { parse } from "@std/csv";
import { didYouMean, listed } from "../text/nearest.ts";

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

  /**
   * An error about a table's columns.
   *
   * @param path The table's file.
   * @param column The column wanted.
   * @param columns Those it has.
   */
  constructor(path: string, readonly column: string, readonly columns: readonly string[]) {
    super(
      `Cannot read "${path}" as it must have a column "${column}": its columns are ${
        listed(columns.map((name) => JSON.stringify(name)))
      }${didYouMean(column, columns)}`,
    );
  }
}

/** Most characters a file may have once decompressed: past it JavaScript has no string. */
const LIMIT = 500_000_000;

async function readText(path: string): Promise<string> {
  using file = await Deno.open(path);
  const head = new Uint8Array(2);
  const read = await file.read(head);
  await file.seek(0, Deno.SeekMode.Start);
  const zipped = read === 2 && head[0] === 0x1f && head[1] === 0x8b;
  let stream: ReadableStream<Uint8Array<ArrayBuffer>> = file.readable;
  if (zipped) stream = stream.pipeThrough(new DecompressionStream("gzip"));
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const pieces: string[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      size += chunk.length;
      if (size > LIMIT) break;
      pieces.push(decoder.decode(chunk, { stream: true }));
    }
    if (size <= LIMIT) pieces.push(decoder.decode());
  } catch (error) {
    const expected = zipped ? "whole gzip and UTF-8 text" : "UTF-8 text";
    throw new SyntaxError(`Cannot read "${path}" as it must be ${expected}: ${(error as Error).message}`);
  }
  if (size > LIMIT) {
    throw new SyntaxError(`Cannot read "${path}" as it must have at most ${LIMIT} bytes of text: it has more`);
  }
  return pieces.join("");
}

/**
 * Reads a CSV file whose first row names the columns. Gzip is known by its first bytes, not by the name.
 *
 * @param path File to read.
 * @throws {SyntaxError} If the file is not CSV in UTF-8, is empty, or a row has another number of fields than the first.
 * Columns at the end without a name are left out if they are blank.
 * @throws {Deno.errors.NotFound} If there is no such file.
 */
export async function readCsv(path: string): Promise<Table> {
  const text = await readText(path);
  let rows: string[][];
  try {
    rows = parse(text);
  } catch (error) {
    throw new SyntaxError(`Cannot read "${path}" as CSV: ${(error as Error).message.split("\n")[0]}`);
  }
  const header = rows.shift();
  if (!header) {
    throw new SyntaxError(`Cannot read "${path}" as CSV as its first row must name the columns: it is empty`);
  }
  const named = header.findLastIndex((name) => name !== "") + 1; // NIH's files end with columns without name or value
  const fits = (row: string[]): boolean =>
    row.length >= named && row.length <= header.length && row.slice(named).every((cell) => cell === "");
  const ragged = rows.findIndex((row) => row.length !== named && !fits(row));
  if (ragged >= 0) {
    throw new SyntaxError(
      `Cannot read "${path}" as CSV as row ${rowNumber(ragged)} must have ${named} fields: it has ${
        rows[ragged]!.length
      }`,
    );
  }
  for (const row of rows) row.length = named;
  const columns = header.slice(0, named);
  return {
    path,
    columns,
    rows,
    column(name: string): number {
      const at = columns.indexOf(name);
      if (at < 0) throw new ColumnError(path, name, columns);
      if (columns.indexOf(name, at + 1) >= 0) {
        throw new SyntaxError(`Cannot read "${path}" as it must have one column "${name}": it has several`);
      }
      return at;
    },
  };
}

/** The number messages give to `table.rows[index]`: the header is row 1. */
export function rowNumber(index: number): number {
  return index + 2;
}

/** A field as CSV writes it: in quotes where it holds a comma, a quote or a line break. */
export function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
