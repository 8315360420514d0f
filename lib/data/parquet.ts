/** Parquet tables, read like CSV files. @module */
import { checkValue, TEXT } from "../platform/options.ts";
import { type FileMetaData, parquetMetadataAsync, parquetReadObjects, parquetSchema } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { notThere, type OpenFile, system } from "../platform/system.ts";
import { errorMessage } from "../platform/error_message.ts";
import { makeTable, type Table } from "./csv.ts";

/** Most rows of a table, as of a CSV file. */
const MOST_ROWS = 2_000_000;

/**
 * Reads a Parquet table as a CSV file is read: nulls and NaN as blanks, numbers and dates as text. Columns of bytes, lists and
 * records (such as images within the table) are not read; a row group at a time is in memory beside the text.
 *
 * @param path File to read.
 * @throws {SyntaxError} If it is no Parquet file, is damaged, or has more than 2 million rows.
 * @throws {Deno.errors.NotFound} If there is no such file.
 */
export async function readParquet(path: string): Promise<Table> {
  checkValue("read a Parquet table", "its path", path, TEXT);
  const file = await system.open(path).catch(notThere(path));
  const { size } = await file.stat();
  let last: Promise<unknown> = Promise.resolve();
  const buffer = {
    byteLength: size,
    slice: (start: number, end = size): Promise<ArrayBuffer> => {
      const bytes = last.then(() => bytesAt(file, start < 0 ? size + start : start, end));
      last = bytes.catch(() => {}); // one file, one place: reads must not mix
      return bytes;
    },
  };
  try {
    const metadata = await parquetMetadataAsync(buffer);
    const count = Number(metadata.num_rows);
    if (count > MOST_ROWS) throw new SyntaxError(`it must have at most ${MOST_ROWS} rows: it has ${count}`);
    const columns = textColumns(metadata);
    const rows: string[][] = [];
    for (const group of metadata.row_groups) {
      const rowStart = rows.length;
      const rowEnd = rowStart + Number(group.num_rows);
      const objects = await parquetReadObjects({ file: buffer, metadata, columns, rowStart, rowEnd, compressors });
      for (const object of objects) rows.push(columns.map((name) => cellText(object[name])));
    }
    if (rows.length !== count) throw new SyntaxError(`it must have ${count} rows: it has ${rows.length}`);
    return makeTable(path, columns, rows);
  } catch (error) {
    throw new SyntaxError(`Cannot read "${path}" as Parquet: ${errorMessage(error)}`, { cause: error });
  } finally {
    file.close();
  }
}

/** The columns whose cells are one number, date or text. */
function textColumns(metadata: FileMetaData): string[] {
  return parquetSchema(metadata).children.flatMap(({ element, children }) => {
    const isText = element.converted_type === "UTF8" || element.converted_type === "ENUM" ||
      ["STRING", "ENUM", "DECIMAL"].includes(element.logical_type?.type ?? "");
    const isBytes = ["BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"].includes(element.type ?? "") && !isText;
    return children.length > 0 || element.repetition_type === "REPEATED" || isBytes ? [] : [element.name];
  });
}

function cellText(value: unknown): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  return value instanceof Date ? value.toISOString() : String(value);
}

async function bytesAt(file: OpenFile, start: number, end: number): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(Math.max(0, end - start));
  await file.seek(start, 0);
  for (let done = 0; done < bytes.length;) {
    const count = await file.read(bytes.subarray(done));
    if (count === null) throw new SyntaxError("it is cut short");
    done += count;
  }
  return bytes.buffer;
}
