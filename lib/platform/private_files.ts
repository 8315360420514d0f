/** A page's private files: the origin's private file system, or memory where the browser gives none. @module */

// What is used of the browser's own types, which a project that uses this package on Deno may not have.
interface Handle {
  name: string;
  kind: "file" | "directory";
}

/** A file's handle, as the File System standard has it. */
export interface FileHandle extends Handle {
  kind: "file";
  /** Its content. */
  getFile(): Promise<File>;
  /** A writer whose bytes are the file's once it is closed. */
  createWritable(options?: { keepExistingData: boolean }): Promise<{
    write(bytes: Uint8Array): Promise<void>;
    seek(offset: number): Promise<void>;
    close(): Promise<void>;
  }>;
  /** Moves it, over another if there is one. */
  move(folder: FolderHandle, name: string): Promise<void>;
}

/** A folder's handle, as the File System standard has it. */
export interface FolderHandle extends Handle {
  kind: "directory";
  /** A folder in it. */
  getDirectoryHandle(name: string, options?: { create: boolean }): Promise<FolderHandle>;
  /** A file in it. */
  getFileHandle(name: string, options?: { create: boolean }): Promise<FileHandle>;
  /** Removes what has a name in it. */
  removeEntry(name: string, options?: { recursive: boolean }): Promise<void>;
  /** What is in it. */
  values(): AsyncIterable<FileHandle | FolderHandle>;
}

/** What stands in a folder of memory. */
const entriesOf = new WeakMap<FolderHandle, Map<string, FileHandle | FolderHandle>>();

function memoryFile(home: FolderHandle, name: string): FileHandle {
  let content = new File([], name);
  const handle: FileHandle = {
    name,
    kind: "file",
    getFile: () => Promise.resolve(content),
    async createWritable({ keepExistingData } = { keepExistingData: false }) {
      let bytes = new Uint8Array(keepExistingData ? await content.arrayBuffer() : []);
      let length = bytes.length, position = 0;
      return {
        write(data) {
          const end = position + data.length;
          if (end > bytes.length) {
            const grown = new Uint8Array(Math.max(end, 2 * bytes.length));
            grown.set(bytes.subarray(0, length));
            bytes = grown;
          }
          bytes.set(data, position);
          position = end;
          length = Math.max(length, end);
          return Promise.resolve();
        },
        seek: (offset) => Promise.resolve(void (position = offset)),
        close: () => Promise.resolve(void (content = new File([bytes.subarray(0, length)], handle.name))),
      };
    },
    move(folder, next) {
      entriesOf.get(home)!.delete(handle.name);
      content = new File([content], next);
      handle.name = next;
      home = folder;
      entriesOf.get(folder)!.set(next, handle);
      return Promise.resolve();
    },
  };
  return handle;
}

function memoryFolder(name: string): FolderHandle {
  const entries = new Map<string, FileHandle | FolderHandle>();
  const entry = <H extends FileHandle | FolderHandle>(
    kind: H["kind"],
    name: string,
    make: (() => H) | undefined,
  ): Promise<H> => {
    const there = entries.get(name) ?? make?.();
    if (there === undefined) return Promise.reject(new DOMException(`no "${name}"`, "NotFoundError"));
    if (there.kind !== kind) return Promise.reject(new DOMException(`"${name}"`, "TypeMismatchError"));
    entries.set(name, there);
    return Promise.resolve(there as H);
  };
  const folder: FolderHandle = {
    name,
    kind: "directory",
    getDirectoryHandle: (name, options) =>
      entry<FolderHandle>("directory", name, options?.create ? () => memoryFolder(name) : undefined),
    getFileHandle: (name, options) =>
      entry<FileHandle>("file", name, options?.create ? () => memoryFile(folder, name) : undefined),
    removeEntry: (name) =>
      entries.delete(name) ? Promise.resolve() : Promise.reject(new DOMException(`no "${name}"`, "NotFoundError")),
    async *values() {
      yield* [...entries.values()];
    },
  };
  entriesOf.set(folder, entries);
  return folder;
}

/** Where a page's private files are. */
export interface PrivateFiles {
  /** The folder of all. */
  root: FolderHandle;
  /** Whether they outlive the page. */
  isKept: boolean;
}

/** A folder whose files are in memory wherever the others are, for what is to be handed out and not kept. */
export const MEMORY = "memory";
const memory = memoryFolder(MEMORY);
let found: Promise<PrivateFiles> | undefined;

/** The private files: the origin's, or those of memory where the browser refuses them, as some do in private windows. */
export function privateFiles(): Promise<PrivateFiles> {
  const open = async (): Promise<PrivateFiles> => {
    const { storage } = navigator as unknown as { storage: { getDirectory(): Promise<FolderHandle> } };
    try {
      return { root: await storage.getDirectory(), isKept: true };
    } catch {
      return { root: memoryFolder(""), isKept: false };
    }
  };
  return found ??= open();
}

/** The folder at the parts of a path. @throws {DOMException} If there is none. */
export async function privateFolder(parts: readonly string[], create = false): Promise<FolderHandle> {
  const isMemory = parts[0] === MEMORY;
  let folder = isMemory ? memory : (await privateFiles()).root;
  for (const part of isMemory ? parts.slice(1) : parts) folder = await folder.getDirectoryHandle(part, { create });
  return folder;
}
