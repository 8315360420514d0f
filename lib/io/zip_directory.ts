/** Records of a zip file, found without reading them. @module */
import {
  type Entry,
  Reader,
  WARNING_DUPLICATE_FILENAME,
  WARNING_TRAILING_CENTRAL_DIRECTORY_DATA,
  ZipReader,
} from "@zip.js/zip.js";
import type { ByteSource } from "./byte_source.ts";
import { quoted, unreadable } from "./_errors.ts";
import { crc32, inflateRawSync } from "../platform/zlib.ts";

/** Where a record lies in its file. */
export interface ZipRecord {
  /** First byte of its data. */
  offset: number;
  /** Bytes of its data as they lie there. */
  size: number;
  /** Bytes that its data inflate to; absent when they are stored. */
  inflated?: number;
  /** CRC-32 of its data; 0 when the writer did not compute one (torch's `set_crc32_options(False)`). */
  crc: number;
}

/** Most records read from one archive. */
const MAX_RECORDS = 100_000;
/** Bytes read at once for headers that lie close together. */
const WINDOW_BYTES = 1 << 12;
const LOCAL_HEADER_BYTES = 30;
/** Zip's number of the compression method. */
const DEFLATE = 8;
/** Bytes read at once while a checksum is computed. */
const CHUNK_BYTES = 1 << 22;

/** What is kept of a directory entry; zip.js's own take kilobytes each. */
type DirectoryEntry =
  & Pick<Entry, "filename" | "rawFilename" | "encrypted" | "compressionMethod" | "compressedSize" | "uncompressedSize">
  & Pick<Entry, "offset" | "directory">
  & { crc: number; entryBytes: number };

function slim(entry: Entry): DirectoryEntry {
  const { filename, encrypted, compressionMethod, compressedSize, uncompressedSize, offset, directory } = entry;
  const { rawFilename, rawExtraField, rawComment, crc32: crc = 0 } = entry;
  const entryBytes = 46 + rawFilename.length + rawExtraField.length + rawComment.length;
  const sizes = { compressedSize, uncompressedSize, offset, crc, entryBytes };
  return { filename, rawFilename: rawFilename.slice(), encrypted, compressionMethod, directory, ...sizes };
}

/** A reader of small pieces that asks the source for a window of bytes at a time. */
function windowed(source: ByteSource): (offset: number, length: number) => Promise<Uint8Array> {
  let start = 0;
  let bytes: Uint8Array = new Uint8Array(0);
  return async (offset, length) => {
    if (offset < start || offset + length > start + bytes.length) {
      bytes = await source.read(offset, Math.min(Math.max(length, WINDOW_BYTES), source.size - offset));
      start = offset;
    }
    return bytes.subarray(offset - start, offset - start + length);
  };
}

/** Bytes of the plain end record, and of the zip64 end record and its locator before it. */
const END_BYTES = 22;
const ZIP64_END_BYTES = 76;

/**
 * The file as zip.js reads it: without zip64 end records that say no more than the plain one does. zip.js looks for the directory
 * that many bytes too late, and takes its second entry for its first where the first is as long as they are (an archive whose name
 * has 21 letters).
 */
class SourceReader extends Reader<ByteSource> {
  #source: ByteSource;
  #hidden: number;

  constructor(source: ByteSource, hidden: number) {
    super(source);
    this.#source = source;
    this.#hidden = hidden;
    this.size = source.size - hidden;
  }

  override async readUint8Array(index: number, length: number): Promise<Uint8Array> {
    const end = this.size - END_BYTES;
    const stop = Math.max(index, Math.min(index + length, this.size));
    if (this.#hidden === 0 || stop <= end) return await this.#source.read(index, stop - index);
    if (index >= end) return await this.#source.read(index + this.#hidden, stop - index);
    const out = new Uint8Array(stop - index);
    out.set(await this.#source.read(index, end - index));
    out.set(await this.#source.read(end + this.#hidden, stop - end), end - index);
    return out;
  }
}

/** What ends a file: whether zip64 records stand before the plain one, and whether that one leaves its numbers to them. */
async function readEnd(source: ByteSource): Promise<{ hasZip64: boolean; isWide: boolean; start: number }> {
  const most = END_BYTES + ZIP64_END_BYTES;
  if (source.size < END_BYTES) return { hasZip64: false, isWide: false, start: 0 };
  const tail = await source.read(Math.max(0, source.size - most), Math.min(most, source.size));
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  const end = tail.length - END_BYTES;
  const hasZip64 = end === ZIP64_END_BYTES && view.getUint32(0, true) === 0x06064b50 &&
    view.getUint32(56, true) === 0x07064b50;
  const isWide = hasZip64 && [12, 16].some((field) => view.getUint32(end + field, true) === 0xffffffff);
  return { hasZip64, isWide, start: isWide ? Number(view.getBigUint64(48, true)) : view.getUint32(end + 16, true) };
}

/**
 * Checks that the directory's entries, then the end records, fill the file to its last byte: 22 bytes, or 98 with the zip64 end
 * record and its locator, which torch always writes.
 */
async function checkEnd(source: ByteSource, entries: readonly DirectoryEntry[]): Promise<void> {
  const { hasZip64, start } = await readEnd(source);
  const bytes = entries.reduce((sum, { entryBytes }) => sum + entryBytes, 0);
  const left = source.size - start - bytes;
  if (left !== 22 && !(left === 98 && hasZip64)) throw new Error(`${left} bytes follow its entries, expected 22 or 98`);
}

async function readEntries(source: ByteSource, format: string): Promise<DirectoryEntry[]> {
  const { hasZip64, isWide } = await readEnd(source);
  const hidden = hasZip64 && !isWide ? ZIP64_END_BYTES : 0;
  const reader = new ZipReader(new SourceReader(source, hidden), {
    filenameValidation: "strict",
    useWebWorkers: false,
  });
  try {
    const entries: DirectoryEntry[] = [];
    for await (const entry of reader.getEntriesGenerator()) {
      if (entries.push(slim(entry)) > MAX_RECORDS) throw new RangeError(`more than ${MAX_RECORDS} records`);
    }
    // torch writes zip64 end records even where the plain one suffices, which zip.js calls trailing data
    const known: string[] = [WARNING_TRAILING_CENTRAL_DIRECTORY_DATA, WARNING_DUPLICATE_FILENAME]; // checked here by name
    const warning = reader.warnings?.find(({ reason }) => !known.includes(reason));
    if (warning) throw new Error(warning.reason);
    await checkEnd(source, entries);
    return entries;
  } catch (error) {
    const { message, filename, reason } = error as Error & { filename?: string; reason?: string };
    const what = [message, reason, filename === undefined ? undefined : quoted(filename)].filter((x) =>
      x !== undefined
    );
    throw unreadable(
      source.name,
      format,
      `its zip directory is damaged (is the file whole? copy or fetch it again): ${what.join(": ")}`,
    );
  }
}

/** Finds the data of one record, checking that its own header agrees with the directory. */
async function locate(
  source: ByteSource,
  entry: DirectoryEntry,
  options: { format: string; readSmall: (offset: number, length: number) => Promise<Uint8Array> },
): Promise<ZipRecord> {
  const { format, readSmall } = options;
  const fail = (reason: string): SyntaxError =>
    unreadable(source.name, format, `record ${quoted(entry.filename)} ${reason}`);
  if (entry.encrypted) throw fail("must not be encrypted");
  const isDeflated = entry.compressionMethod === DEFLATE;
  if (!isDeflated && (entry.compressionMethod !== 0 || entry.compressedSize !== entry.uncompressedSize)) {
    throw fail(
      `must be stored or deflated: found compression method ${entry.compressionMethod}, ` +
        `${entry.compressedSize} bytes for ${entry.uncompressedSize}`,
    );
  }
  const size = entry.compressedSize;
  const headBytes = LOCAL_HEADER_BYTES + entry.rawFilename.length;
  if (entry.offset + headBytes > source.size) throw fail("must begin within the file");
  const head = await readSmall(entry.offset, headBytes);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (view.getUint32(0, true) !== 0x04034b50) throw fail("has no header of its own where the directory says");
  const nameBytes = view.getUint16(26, true);
  const offset = entry.offset + LOCAL_HEADER_BYTES + nameBytes + view.getUint16(28, true);
  if (offset + size > source.size) throw fail(`must end within ${source.size} bytes: it ends at ${offset + size}`);
  const ownName = head.subarray(LOCAL_HEADER_BYTES);
  if (nameBytes !== ownName.length || ownName.some((byte, i) => byte !== entry.rawFilename[i])) {
    throw fail("has another name in its own header");
  }
  if (view.getUint16(8, true) !== entry.compressionMethod) throw fail("has another compression in its own header");
  const ownSize = view.getUint32(22, true);
  const isStreamed = (view.getUint16(6, true) & 8) !== 0; // sizes follow the data
  if (!isStreamed && ownSize !== 0xffffffff && ownSize !== entry.uncompressedSize) {
    throw fail("has another size in its own header");
  }
  return { offset, size, crc: entry.crc, ...(isDeflated ? { inflated: entry.uncompressedSize } : {}) };
}

/**
 * Reads the directory of a zip file.
 *
 * @param format What messages call it.
 * @returns Records by name; folders are left out.
 * @throws {SyntaxError} If it is not a whole, unambiguous zip file of records that do not overlap.
 */
export async function readZipDirectory(source: ByteSource, format: string): Promise<Map<string, ZipRecord>> {
  const records = new Map<string, ZipRecord>();
  const readSmall = windowed(source);
  for (const entry of await readEntries(source, format)) {
    if (entry.directory) continue;
    if (records.has(entry.filename)) {
      throw unreadable(source.name, format, `record ${quoted(entry.filename)} is there twice`);
    }
    records.set(entry.filename, await locate(source, entry, { format, readSmall }));
  }
  let position = 0;
  for (const [name, { offset, size }] of [...records].sort(([, a], [, b]) => a.offset - b.offset)) {
    if (offset < position) throw unreadable(source.name, format, `record ${quoted(name)} overlaps the one before it`);
    position = offset + size;
  }
  return records;
}

/** Whether the bytes of `record` have its CRC-32; reads in pieces. True when there is none to compare with. */
export async function hasRightChecksum(source: ByteSource, record: ZipRecord): Promise<boolean> {
  if (record.crc === 0) return true;
  let crc = 0;
  for (let done = 0; done < record.size; done += CHUNK_BYTES) {
    crc = crc32(await source.read(record.offset + done, Math.min(CHUNK_BYTES, record.size - done)), crc);
  }
  return crc === record.crc;
}

/** Whether `bytes`, all of `record`, have its CRC-32. True when there is none to compare with. */
function matchesChecksum(bytes: Uint8Array, record: ZipRecord): boolean {
  return record.crc === 0 || crc32(bytes) === record.crc;
}

/**
 * All data of one record, inflated and checked.
 *
 * @param options What messages call the record, and the format.
 * @throws {SyntaxError} If they do not inflate to the directory's size, or their checksum differs.
 */
export async function readZipRecord(
  source: ByteSource,
  record: ZipRecord,
  options: { label: string; format: string },
): Promise<Uint8Array> {
  const { label, format } = options;
  const bytes = await source.read(record.offset, record.size);
  const data = record.inflated === undefined ? bytes : inflate(bytes, record.inflated);
  if (!data || !matchesChecksum(data, record)) {
    throw unreadable(
      source.name,
      format,
      `record ${quoted(label)} is damaged: its ${data ? "checksum" : "size"} differs`,
    );
  }
  return data;
}

/** Exactly `size` bytes out of deflated ones, or undefined; never more are made. */
function inflate(bytes: Uint8Array, size: number): Uint8Array | undefined {
  if (bytes.length * 1032 + 64 < size) return undefined; // deflate cannot shrink so far: nothing of that size is made
  try {
    const data = inflateRawSync(bytes, { maxOutputLength: Math.max(1, size) });
    return data.length === size ? new Uint8Array(data.buffer, data.byteOffset, data.length) : undefined;
  } catch {
    return undefined;
  }
}
