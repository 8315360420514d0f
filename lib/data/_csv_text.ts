/** The text of a CSV file, never more of it than a table may have. @module */
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";

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
  using file = await Deno.open(path);
  const { size, isDirectory } = await file.stat();
  if (isDirectory) throw new SyntaxError(`Cannot read "${path}" as CSV as it must be a file: it is a folder`);
  const head = new Uint8Array(2);
  const read = await file.read(head);
  await file.seek(0, Deno.SeekMode.Start);
  const isGzip = read === 2 && head[0] === 0x1f && head[1] === 0x8b;
  const limit = isGzip ? Math.min(MAX_BYTES, Math.max(FREE_BYTES, size * MOST_EXPANSION)) : MAX_BYTES;
  const source = Readable.from(file.readable);
  // DecompressionStream refuses the second member of a file made of several.
  const stream: AsyncIterable<Uint8Array> = isGzip ? source.pipe(createGunzip()) : source;
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
  } finally {
    source.destroy();
  }
  if (bytes > limit) {
    const actual = isGzip ? `its ${size} bytes of gzip hold more` : "it has more";
    throw new SyntaxError(`Cannot read "${path}" as it must have at most ${limit} bytes of text: ${actual}`);
  }
  return pieces.join("");
}
