/** Files on Node and Bun. @module */
import { type FileInfo, IsADirectory, NotADirectory, NotFound, type OpenFile, type System } from "./files.ts";
import { builtin } from "./runtime.ts";
import { errorCode, errorMessage } from "./error_message.ts";

type Promises = typeof import("node:fs/promises");
type Handle = Awaited<ReturnType<Promises["open"]>>;

const KINDS: Readonly<Record<string, new (message: string, options?: ErrorOptions) => Error>> = {
  ENOENT: NotFound,
  ENOTDIR: NotADirectory,
  EISDIR: IsADirectory,
};

/** What Node throws, as the class that tells its kind. */
async function told<T>(result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    const Kind = KINDS[errorCode(error) ?? ""];
    throw Kind ? new Kind(errorMessage(error), { cause: error }) : error;
  }
}

const infoOf = (stats: NonNullable<Awaited<ReturnType<Promises["stat"]>>>): FileInfo => ({
  isFile: stats.isFile(),
  isDirectory: stats.isDirectory(),
  size: Number(stats.size),
  mtime: stats.mtime,
});

function openFile(handle: Handle): OpenFile {
  let position = 0;
  const close = (): void => void handle.close().catch(() => {});
  const read = async (into: Uint8Array): Promise<number | null> => {
    const { bytesRead } = await told(handle.read(into, 0, into.length, position));
    position += bytesRead;
    return bytesRead === 0 && into.length > 0 ? null : bytesRead;
  };
  return {
    get readable() {
      return new ReadableStream<Uint8Array<ArrayBuffer>>({
        async pull(controller) {
          const chunk = new Uint8Array(1 << 16);
          const count = await read(chunk);
          if (count !== null) return controller.enqueue(chunk.subarray(0, count));
          controller.close();
          close();
        },
        cancel: close,
      });
    },
    read,
    async write(bytes) {
      const { bytesWritten } = await told(handle.write(bytes, 0, bytes.length, position));
      position += bytesWritten;
      return bytesWritten;
    },
    seek: (offset) => Promise.resolve(position = offset),
    stat: async () => infoOf((await told(handle.stat()))!),
    close,
    [Symbol.dispose]: close,
  };
}

/** The functions of `node:fs/promises` under the names of {@linkcode System}. */
export function nodeSystem(): System {
  const fs = builtin<Promises>("node:fs/promises")!;
  return {
    open: async (path, { write = false, createNew = false, mode } = {}) =>
      openFile(await told(fs.open(path, createNew ? "wx+" : write ? "r+" : "r", mode))),
    stat: async (path) => infoOf((await told(fs.stat(path)))!),
    async *readDir(path) {
      for (const entry of await told(fs.readdir(path, { withFileTypes: true }))) {
        yield {
          name: entry.name,
          isFile: entry.isFile(),
          isDirectory: entry.isDirectory(),
          isSymlink: entry.isSymbolicLink(),
        };
      }
    },
    async readFile(path) {
      const { buffer, byteOffset, length } = await told(fs.readFile(path));
      return new Uint8Array(buffer as ArrayBuffer, byteOffset, length);
    },
    readTextFile: (path) => told(fs.readFile(path, "utf8")),
    mkdir: async (path, options = {}) => void await told(fs.mkdir(path, options)),
    rename: (from, to) => told(fs.rename(from, to)),
    remove: (path) => told(fs.unlink(path)),
    errors: { NotFound, NotADirectory, IsADirectory },
  };
}
