/** What the library uses of a file system, in the terms of Deno's. @module */

/** What is known of a file or folder. */
export interface FileInfo {
  /** Whether it is a file. */
  isFile: boolean;
  /** Whether it is a folder. */
  isDirectory: boolean;
  /** Bytes. */
  size: number;
  /** Time of its last change; null where that is not kept. */
  mtime: Date | null;
}

/** An entry of a folder. */
export interface FolderEntry {
  /** Its name. */
  name: string;
  /** Whether it is a file. */
  isFile: boolean;
  /** Whether it is a folder. */
  isDirectory: boolean;
  /** Whether it is a link to one of them. */
  isSymlink: boolean;
}

/** An open file. */
export interface OpenFile extends Disposable {
  /** The rest of its bytes; reading them to the end closes it. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Reads into an array from where the file stands: how many bytes, or null at its end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes some of an array's bytes: how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Goes to a byte, counted from the start. */
  seek(offset: number, whence: 0): Promise<number>;
  /** What is known of it. */
  stat(): Promise<FileInfo>;
  /** Lets it go. */
  close(): void;
}

/** How a file is opened. */
export interface OpenOptions {
  /** For reading. */
  read?: boolean;
  /** For writing. */
  write?: boolean;
  /** It must not be there yet. */
  createNew?: boolean;
  /** Who may read and write a new one, where the system knows that. */
  mode?: number;
}

/** An error of the file system. */
export type FileErrorClass = new (message?: string, options?: ErrorOptions) => Error;

/** The classes by which errors of the file system are told apart. */
export interface FileErrors {
  /** There is no such file or folder. */
  NotFound: FileErrorClass;
  /** A part of the path is a file. */
  NotADirectory: FileErrorClass;
  /** It is a folder. */
  IsADirectory: FileErrorClass;
}

/** The functions over files that the library uses, named and typed as Deno's. */
export interface System {
  /** Opens a file. */
  open(path: string | URL, options?: OpenOptions): Promise<OpenFile>;
  /** What stands at a path; links are followed. */
  stat(path: string): Promise<FileInfo>;
  /** The names in a folder. */
  readDir(path: string): AsyncIterable<FolderEntry>;
  /** All bytes of a file. */
  readFile(path: string | URL): Promise<Uint8Array<ArrayBuffer>>;
  /** All text of a file. */
  readTextFile(path: string): Promise<string>;
  /** Makes a folder. */
  mkdir(path: string, options?: { recursive?: boolean }): Promise<void>;
  /** Moves a file, over another if there is one. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file. */
  remove(path: string): Promise<void>;
  /** Error classes. */
  errors: FileErrors;
}

/** There is no such file or folder. */
export class NotFound extends Error {
  /** Name shown in stack traces. */
  override name = "NotFound";
}

/** A part of the path is a file. */
export class NotADirectory extends Error {
  /** Name shown in stack traces. */
  override name = "NotADirectory";
}

/** It is a folder. */
export class IsADirectory extends Error {
  /** Name shown in stack traces. */
  override name = "IsADirectory";
}
