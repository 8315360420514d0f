/** The text of a CSV file, never more of it than a table may have. @module */
import { type OpenFile, system } from "../platform/system.ts";
import { gunzipStream } from "../platform/zlib.ts";

/** Most bytes of text: past it JavaScript has no string. */
const MAX_BYTES = 500_000_000;
/** Bytes that a compressed file may always expand to; a larger one to a hundred times its size, as no table goes beyond. */
const FREE_BYTES = 1 << 26;
const MOST_EXPANSION = 100;

/**
 * Reads a file of UTF-8 text, gzipped (in one member or several) or not.
 *
 * @throws {SyntaxError} If it is no such text, or too large; the message names the file.
 */
export async function readCsvText(path: string): Promise<string> {
  const file = await system.open(path);
  try {
    return await textOf(file, path);
  } finally {
    file[Symbol.dispose](); // not `using`, which Node 22 and some browsers do not know
  }
}

async function textOf(file: OpenFile, path: string): Promise<string> {
  const { size, isDirectory } = await file.stat();
  if (isDirectory) throw new SyntaxError(`Cannot read "${path}" as CSV as it must be a file: it is a folder`);
  const head = new Uint8Array(2);
  const read = await file.read(head);
  await file.seek(0, 0);
  const isGzip = read === 2 && head[0] === 0x1f && head[1] === 0x8b;
  const limit = isGzip ? Math.min(MAX_BYTES, Math.max(FREE_BYTES, size * MOST_EXPANSION)) : MAX_BYTES;
  const stream: AsyncIterable<Uint8Array> = isGzip ? gunzipStream(file.readable) : file.readable;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const pieces: string[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream) {
      bytes += chunk.length;
      if (bytes > limit) break;
      pieces.push(decoder.decode(chunk, { stream: true }));
    }
    if (bytes <= limit) pieces.push(decoder.decode());
  } catch (error) {
    const expected = isGzip ? "whole gzip and UTF-8 text" : "UTF-8 text";
    throw new SyntaxError(`Cannot read "${path}" as it must be ${expected}: ${(error as Error).message}`);
  }
  if (bytes > limit) {
    const actual = isGzip ? `its ${size} bytes of gzip hold more` : "it has more";
    throw new SyntaxError(`Cannot read "${path}" as it must have at most ${limit} bytes of text: ${actual}`);
  }
  return pieces.join("");
}
