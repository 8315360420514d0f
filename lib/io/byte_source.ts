/** Random access to the bytes of a file or of memory. @module */
import { NotFound, type OpenFile, system } from "../platform/system.ts";
import { errorMessage } from "../platform/error_message.ts";

/** Bytes that can be read in any order. */
export interface ByteSource {
  /** What messages call it: the path. */
  name: string;
  /** Number of bytes. */
  size: number;
  /** A fresh array (or a view, for memory) of exactly `length` bytes from `offset`. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Lets the file go. */
  close(): void;
}

function checkRange(name: string, size: number, offset: number, length: number): void {
  if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
    throw new RangeError(
      `Cannot read "${name}" as bytes ${offset} to ${offset + length} must lie in the file: current size is ${size}`,
    );
  }
}

/** A source over `bytes`; what it reads are views of them. */
export function bytesSource(bytes: Uint8Array, name = "(bytes)"): ByteSource {
  return {
    name,
    size: bytes.byteLength,
    read: (offset, length) => {
      checkRange(name, bytes.byteLength, offset, length);
      return Promise.resolve(bytes.subarray(offset, offset + length));
    },
    close: () => {},
  };
}

/**
 * A source over the file at `path`; reads are queued, so that concurrent ones do not mix.
 *
 * @throws {Error} If it cannot be opened; the message names `path`.
 */
export async function fileSource(path: string): Promise<ByteSource> {
  let file: OpenFile;
  try {
    file = await system.open(path, { read: true });
  } catch (error) {
    const why = error instanceof NotFound ? "there is no such file" : errorMessage(error);
    throw new Error(`Cannot open "${path}": ${why}`, { cause: error });
  }
  const info = await file.stat();
  if (!info.isFile) {
    file.close();
    throw new Error(`Cannot open "${path}" as it must be a file: it is ${info.isDirectory ? "a folder" : "a device"}`);
  }
  const size = info.size;
  let last: Promise<unknown> = Promise.resolve();
  const readNow = async (offset: number, length: number): Promise<Uint8Array> => {
    checkRange(path, size, offset, length);
    const out = new Uint8Array(length);
    await file.seek(offset, 0);
    for (let done = 0; done < length;) {
      const n = await file.read(out.subarray(done));
      if (n === null) throw new RangeError(`Cannot read "${path}" as it became shorter than ${size} bytes while read`);
      done += n;
    }
    return out;
  };
  return {
    name: path,
    size,
    read: (offset, length) => {
      const result = last.then(() => readNow(offset, length));
      last = result.catch(() => {});
      return result;
    },
    close: () => file.close(),
  };
}

/**
 * The text of a small file (a config).
 *
 * @throws {Error} If it cannot be opened; the message names `path`.
 * @throws {SyntaxError} If it has more than `maxBytes` (@default 1 MiB), or is not UTF-8.
 */
export async function readSmallText(path: string, maxBytes = 1 << 20): Promise<string> {
  const source = await fileSource(path);
  try {
    if (source.size > maxBytes) {
      throw new SyntaxError(`Cannot read "${path}" as it must have at most ${maxBytes} bytes: found ${source.size}`);
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(await source.read(0, source.size));
  } catch (error) {
    if (error instanceof TypeError) throw new SyntaxError(`Cannot read "${path}" as it must be UTF-8`);
    throw error;
  } finally {
    source.close();
  }
}
