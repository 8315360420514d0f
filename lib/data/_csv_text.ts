/** The text of a CSV file, never more of it than a table may have. @module */
import { notThere, type OpenFile, system } from "../platform/system.ts";
import { gunzipStream } from "../platform/zlib.ts";
import { errorMessage } from "../platform/error_message.ts";

/** Most bytes of text: past it JavaScript has no string. */
const MAX_BYTES = 500_000_000;
/** Bytes that a compressed file may always expand to; a larger one to a hundred times its size, as no table goes beyond. */
const FREE_BYTES = 1 << 26;
const MOST_EXPANSION = 100;

/**
 * Reads a file of UTF-8 text, or of UTF-16 with its mark (Excel's "Unicode text"), gzipped (in one member or several) or not.
 *
 * @throws {SyntaxError} If it is no such text, or too large; the message names the file.
 */
export async function readCsvText(path: string): Promise<string> {
  const file = await system.open(path).catch(notThere(path));
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
  let decoder: TextDecoder | undefined;
  const pieces: string[] = [];
  const decode = (chunk: Uint8Array, stream: boolean): void => {
    decoder ??= new TextDecoder(encodingOf(chunk), { fatal: true });
    try {
      pieces.push(decoder.decode(chunk, { stream }));
    } catch {
      throw new SyntaxError(`Cannot read "${path}" as it must be UTF-8 text: ${notText(pieces, chunk)}`);
    }
  };
  let bytes = 0;
  try {
    for await (const chunk of stream) {
      bytes += chunk.length;
      if (bytes > limit) break;
      decode(chunk, true);
    }
    if (bytes <= limit) decode(new Uint8Array(), false);
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    throw new SyntaxError(
      `Cannot read "${path}"${isGzip ? " as it must be whole gzip" : ""}: ${errorMessage(error)}`,
    );
  }
  if (bytes > limit) {
    const actual = isGzip ? `its ${size} bytes of gzip hold more` : "it has more";
    throw new SyntaxError(`Cannot read "${path}" as it must have at most ${limit} bytes of text: ${actual}`);
  }
  return pieces.join("");
}

function encodingOf([first, second]: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" {
  if (first === 0xff && second === 0xfe) return "utf-16le";
  return first === 0xfe && second === 0xff ? "utf-16be" : "utf-8";
}

/** Where text ends to be UTF-8, and what to do: mostly it is a table that Excel saved in a code page of its own. */
function notText(before: readonly string[], chunk: Uint8Array): string {
  const valid = before.join("") + new TextDecoder().decode(chunk).split("\ufffd", 1)[0];
  if (valid.includes("\0")) return "it is no text";
  return `line ${valid.split(/\r\n|\r|\n/).length} is not; save it as "CSV UTF-8"`;
}
