/** Files in a browser: those the page was given, which are read only, and the page's private files. @module */
import {
  type FileInfo,
  type FolderEntry,
  IsADirectory,
  NotADirectory,
  NotFound,
  type OpenFile,
  type System,
} from "./files.ts";
import { type FileHandle, privateFolder } from "./private_files.ts";

/** Files given, by path. */
const mounted = new Map<string, Blob>();
/** Files whose last bytes are still on their way, by path. */
const closing = new Map<string, Promise<void>>();

const partsOf = (path: string): string[] => path.split("/").filter((part) => part !== "" && part !== ".");
const keyOf = (path: string): string => partsOf(path).join("/");

/**
 * Makes files that a page was given readable by path. They are neither copied nor sent anywhere: what is read of them is read by
 * slices.
 *
 * @param files Files by path, such as `biomedclip/open_clip_pytorch_model.bin`.
 */
export function mountFiles(files: Readonly<Record<string, Blob>>): void {
  for (const [path, file] of Object.entries(files)) mounted.set(keyOf(path), file);
}

/** Lets go of the files mounted at a path, or in the folder of that name. */
export function unmountFiles(path: string): void {
  const key = keyOf(path);
  for (const name of mounted.keys()) if (name === key || name.startsWith(`${key}/`)) mounted.delete(name);
}

const FILE: Omit<FileInfo, "size" | "mtime"> = { isFile: true, isDirectory: false };
const FOLDER: FileInfo = { isFile: false, isDirectory: true, size: 0, mtime: null };

/** The error for a file that the browser has no room for. */
export class StorageFullError extends Error {
  /** Name shown in stack traces. */
  override name = "StorageFullError";

  /** An error about the origin's storage. */
  constructor(options?: ErrorOptions) {
    super("the browser's storage is full", options);
  }
}

/** The class that tells the kind of what the private file system throws; what is full says so itself. */
function told(error: unknown, path: string): unknown {
  if (!(error instanceof DOMException)) return error;
  const options = { cause: error };
  if (error.name === "NotFoundError") return new NotFound(`No such file or folder: "${path}"`, options);
  if (error.name === "TypeMismatchError") return new NotADirectory(`Not of the kind asked for: "${path}"`, options);
  if (error.name === "QuotaExceededError") return new StorageFullError(options);
  return error;
}

async function handleAt(path: string, create = false): Promise<FileHandle> {
  const parts = partsOf(path);
  const name = parts.pop();
  if (name === undefined) throw new IsADirectory(`Cannot open "${path}" as it is a folder`);
  return await (await privateFolder(parts)).getFileHandle(name, { create });
}

/** A file's content: of one mounted, else of one kept. */
async function blobAt(path: string): Promise<Blob> {
  const given = mounted.get(keyOf(path));
  if (given) return given;
  try {
    await closing.get(keyOf(path));
    return await (await handleAt(path)).getFile();
  } catch (error) {
    throw told(error, path);
  }
}

const infoOf = (blob: Blob): FileInfo => ({
  ...FILE,
  size: blob.size,
  mtime: blob instanceof File ? new Date(blob.lastModified) : null,
});

const bytesOf = async (blob: Blob): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(await blob.arrayBuffer());

function reader(blob: Blob): OpenFile {
  let position = 0;
  return {
    get readable() {
      return blob.slice(position).stream();
    },
    async read(into) {
      const bytes = await bytesOf(blob.slice(position, position + into.length));
      into.set(bytes);
      position += bytes.length;
      return bytes.length === 0 && into.length > 0 ? null : bytes.length;
    },
    write: () => Promise.reject(new TypeError("Cannot write to a file that is open for reading")),
    seek: (offset) => Promise.resolve(position = offset),
    stat: () => Promise.resolve(infoOf(blob)),
    close: () => {},
    [Symbol.dispose]: () => {},
  };
}

async function writer(path: string, createNew: boolean): Promise<OpenFile> {
  if (createNew && await handleAt(path).then(() => true, () => false)) {
    throw new Error(`Cannot create "${path}" as it must not be there: it is`);
  }
  const handle = await handleAt(path, createNew);
  const stream = await handle.createWritable({ keepExistingData: !createNew });
  const close = (): void => {
    const closed = stream.close().catch((error: unknown) => {
      throw told(error, path);
    });
    closed.catch(() => {}); // whoever reads or moves the file is told
    closing.set(keyOf(path), closed);
  };
  return {
    get readable(): never {
      throw new TypeError("Cannot read a file that is open for writing");
    },
    read: () => Promise.reject(new TypeError("Cannot read a file that is open for writing")),
    async write(bytes) {
      try {
        await stream.write(bytes);
      } catch (error) {
        throw told(error, path);
      }
      return bytes.length;
    },
    async seek(offset) {
      await stream.seek(offset);
      return offset;
    },
    stat: async () => infoOf(await handle.getFile()),
    close,
    [Symbol.dispose]: close,
  };
}

async function* entries(path: string): AsyncGenerator<FolderEntry> {
  const prefix = keyOf(path) === "" ? "" : `${keyOf(path)}/`;
  const given = new Map<string, boolean>();
  for (const name of mounted.keys()) {
    if (!name.startsWith(prefix)) continue;
    const [first, ...rest] = name.slice(prefix.length).split("/");
    given.set(first!, rest.length === 0);
  }
  for (const [name, isFile] of given) yield { name, isFile, isDirectory: !isFile, isSymlink: false };
  if (prefix !== "" && given.size > 0) return;
  try {
    for await (const { name, kind } of (await privateFolder(partsOf(path))).values()) {
      if (!given.has(name)) {
        yield { name, isFile: kind === "file", isDirectory: kind === "directory", isSymlink: false };
      }
    }
  } catch (error) {
    throw told(error, path);
  }
}

async function statAt(path: string): Promise<FileInfo> {
  const key = keyOf(path);
  if (key === "") return FOLDER;
  for (const name of mounted.keys()) if (name.startsWith(`${key}/`)) return FOLDER;
  if (!mounted.has(key) && await privateFolder(partsOf(path)).then(() => true, () => false)) return FOLDER;
  return infoOf(await blobAt(path));
}

/** The functions of {@linkcode System} in a browser. */
export function webSystem(): System {
  return {
    async open(location, { write = false, createNew = false } = {}) {
      const path = String(location);
      if (!write) return reader(await blobAt(path));
      try {
        return await writer(path, createNew);
      } catch (error) {
        throw told(error, path);
      }
    },
    stat: statAt,
    readDir: entries,
    readFile: async (path) =>
      path instanceof URL ? new Uint8Array(await (await fetch(path)).arrayBuffer()) : await bytesOf(await blobAt(path)),
    readTextFile: async (path) => await (await blobAt(path)).text(),
    async mkdir(path) {
      await privateFolder(partsOf(path), true).catch((error) => {
        throw told(error, path);
      });
    },
    async rename(from, to) {
      const key = keyOf(from);
      await closing.get(key)?.finally(() => closing.delete(key));
      const parts = partsOf(to);
      const name = parts.pop()!;
      const folder = await privateFolder(parts);
      await (await handleAt(from)).move(folder, name);
    },
    async remove(path) {
      const parts = partsOf(path);
      const name = parts.pop()!;
      await closing.get(keyOf(path))?.catch(() => {});
      closing.delete(keyOf(path));
      await privateFolder(parts).then((folder) => folder.removeEntry(name)).catch((error) => {
        throw told(error, path);
      });
    },
    errors: { NotFound, NotADirectory, IsADirectory },
  };
}
