/**
 * Decoded and resized images on disk, so that each file is decoded once for all epochs, runs and processes.
 *
 * A folder holds one folder for each transform, and in it pairs of files: `NAME.npy`, uint8 `[n, S, S]` (grey) or `[n, S, S, 3]`,
 * which NumPy maps, and `NAME.json`, which file each row came from (without rows: only names of files known already). A pair counts once its .json is there, which comes last and
 * whole; names are drawn at random. So any number of processes on any number of machines read and write one folder without
 * locks, and one that is killed leaves at most a file that nobody reads.
 *
 * @module
 */
import { join } from "@std/path";
import { exists } from "../../io/files.ts";
import type { DecodedFile, Square, SquareTransform } from "./decode.ts";
import { hashLocation, type ImageLocation, stampOf } from "./location.ts";
import { type NpyShard, openNpyShard, readNpyRow, rowBytes, writeNpyShard } from "./npy_shard.ts";
import { type HashedFile, indexPath, parseIndex, type ShardIndex, writeIndex } from "./shard_index.ts";
import { defined } from "../../platform/defined.ts";
import { newSha256 } from "../../platform/sha256.ts";

/** Images of one transform, by file. */
export interface PixelCache {
  /** Rows that can be read. */
  readonly size: number;
  /** The folder of its transform. */
  readonly folder: string;
  /**
   * The square of a file. A file whose size or time differ from those it was decoded with is hashed: with the same content it is
   * the same image under a new name or date.
   *
   * @returns Undefined if it is not here or has changed.
   * @throws {Error} If there is no such file.
   */
  get(location: ImageLocation): Promise<Square | undefined>;
  /** Whether {@linkcode PixelCache.get} has the square of a file, which is not read. */
  has(location: ImageLocation): Promise<boolean>;
  /** Keeps a decoded file; it is on disk after the next full shard or {@linkcode PixelCache.flush}. */
  put(file: DecodedFile): Promise<void>;
  /** Writes what is kept in memory. */
  flush(): Promise<void>;
  /** Reads the shards that others have written since. */
  refresh(): Promise<void>;
  /** Closes the files; what is not flushed is lost. */
  close(): void;
}

/** Options of {@linkcode openPixelCache}. */
export interface PixelCacheOptions {
  /** Bytes of squares that make a shard, at most lost when the process is killed. @default {32 MiB} */
  shardBytes?: number;
}

/** To be raised when a decoder or the resize gives other pixels for the same file: squares made before are then not read. */
const PIXELS = 1;

const DEFAULTS: Required<Omit<SquareTransform, "resizedTo">> = {
  size: 224,
  mode: "eval",
  resizeMode: "shortest",
  interpolation: "bicubic",
  rgbFirst: false,
  grey16: "clip",
  exif: false,
};

/** The transform with all its defaults, as the name of its folder. */
function transformName(transform: SquareTransform): string {
  const text = JSON.stringify([PIXELS, { ...DEFAULTS, ...transform }]);
  return `${transform.size ?? 224}-${newSha256().update(text).digest("hex").slice(0, 16)}`;
}

/** The error for a cache that is not there and cannot be made: images can be decoded without it. */
export class UnwritableCacheError extends Error {
  /** Name shown in stack traces. */
  override name = "UnwritableCacheError";
}

/**
 * Opens a cache, which is made when missing.
 *
 * @param folder Its folder.
 * @param transform How the images are resized: another one has squares of its own.
 * @throws {UnwritableCacheError} If the folder cannot be made where it should lie.
 * @throws {Error} If its path is a file's, or it cannot be read.
 * @throws {SyntaxError} If an index in it is damaged; the message names the file.
 */
export async function openPixelCache(
  folder: string,
  transform: SquareTransform,
  options: PixelCacheOptions = {},
): Promise<PixelCache> {
  const { shardBytes = 32 * 2 ** 20 } = options;
  const { size = 224 } = transform;
  const own = join(folder, transformName(transform));
  await makeFolder(own, folder);
  const kept = emptyCatalogue();
  const pending: Pending = { 1: new Map(), 3: new Map(), underWay: new Set(), renamed: [] };
  const shards = openShards();
  const write = (channels: 1 | 3): Promise<void> => writePending(pending, kept, own, { size, channels });
  const cache: PixelCache = {
    get size() {
      return kept.rows.size + pending[1].size + pending[3].size;
    },
    folder: own,
    async has(location) {
      const sha256 = await knownHash(location, kept, pending);
      return sha256 !== undefined && (kept.rows.has(sha256) || waiting(pending, sha256) !== undefined);
    },
    async get(location) {
      const sha256 = await knownHash(location, kept, pending);
      if (sha256 === undefined) return undefined;
      const row = kept.rows.get(sha256);
      return row ? await shards.read(row) : waiting(pending, sha256);
    },
    async put(file) {
      const { channels, sha256, stamp } = file;
      kept.stamps.set(stamp.path, { ...stamp, sha256 });
      if (kept.rows.has(sha256)) return void pending.renamed.push({ ...stamp, sha256 });
      pending[channels].set(sha256, file);
      if (pending[channels].size * rowBytes({ size, channels }) >= shardBytes) await write(channels);
    },
    async flush() {
      await write(1);
      await write(3);
    },
    refresh: () => readIndices(kept, own, size),
    close: shards.close,
  };
  await cache.refresh();
  return cache;
}

/** The folder of a transform, made when missing. */
async function makeFolder(own: string, folder: string): Promise<void> {
  if (await exists(own)) return;
  await Deno.mkdir(own, { recursive: true }).catch((error) => {
    if (error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.AlreadyExists) {
      throw new Error(`Cannot keep images in "${folder}" as it must be a folder: it is a file, or lies below one`, {
        cause: error,
      });
    }
    throw new UnwritableCacheError(`Cannot keep images in "${folder}": ${error.message}`, { cause: error });
  });
}

/** Where a square is. */
interface CachedRow {
  shard: NpyShard;
  row: number;
  notes?: readonly string[];
}

/** Reads squares; each shard is opened once. */
function openShards(): { read(row: CachedRow): Promise<Square>; close(): void } {
  const files = new Map<NpyShard, Promise<Deno.FsFile>>();
  return {
    async read({ shard, row, notes }) {
      const file = files.get(shard) ?? openNpyShard(shard);
      files.set(shard, file);
      return { ...readNpyRow(await file, shard, row), ...defined({ notes }) };
    },
    close() {
      for (const file of files.values()) file.then((opened) => opened.close(), () => {});
      files.clear();
    },
  };
}

/** What the shards hold whose index was read. */
interface Catalogue {
  /** Paths of the indices. */
  indices: Set<string>;
  /** Files by path. */
  stamps: Map<string, HashedFile>;
  /** Squares by the SHA-256 of their files. */
  rows: Map<string, CachedRow>;
  /** Bytes of those files: one of another length has another content. */
  lengths: Set<number>;
}

function emptyCatalogue(): Catalogue {
  return { indices: new Set(), stamps: new Map(), rows: new Map(), lengths: new Set() };
}

function learn({ indices, stamps, rows, lengths }: Catalogue, shard: NpyShard, index: ShardIndex): void {
  indices.add(indexPath(shard));
  for (const [row, [path, bytes, changed, sha256, notes]] of index.files.entries()) {
    stamps.set(path, { path, bytes, changed, sha256 });
    lengths.add(bytes);
    if (row < index.rows && !rows.has(sha256)) rows.set(sha256, { shard, row, ...(notes ? { notes } : {}) });
  }
}

/** Reads the indices in a folder that are not known yet. */
async function readIndices(kept: Catalogue, folder: string, size: number): Promise<void> {
  for await (const { name, isFile } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (!isFile || !name.endsWith(".json") || kept.indices.has(path)) continue;
    const index = parseIndex(await Deno.readTextFile(path), path, size);
    learn(kept, { path: path.replace(/\.json$/, ".npy"), rows: index.rows, size, channels: index.channels }, index);
  }
}

/** What is not on disk yet. */
interface Pending extends Record<1 | 3, Map<string, DecodedFile>> {
  /** Squares that are being written. */
  underWay: Set<ReadonlyMap<string, DecodedFile>>;
  /** Files with the content of a square that is there, under another name or date. */
  renamed: HashedFile[];
}

function waiting(pending: Pending, sha256: string): DecodedFile | undefined {
  return [pending[1], pending[3], ...pending.underWay].find((squares) => squares.has(sha256))?.get(sha256);
}

/** Writes the squares of so many channels as a shard, and the new names. */
async function writePending(
  pending: Pending,
  kept: Catalogue,
  folder: string,
  { size, channels }: Pick<NpyShard, "size" | "channels">,
): Promise<void> {
  const [taken, aliases] = [pending[channels], pending.renamed];
  pending[channels] = new Map();
  pending.renamed = [];
  if (taken.size + aliases.length === 0) return;
  const shard: NpyShard = { path: join(folder, `${crypto.randomUUID()}.npy`), rows: taken.size, size, channels };
  const squares = [...taken.values()];
  pending.underWay.add(taken);
  try {
    if (taken.size > 0) await writeNpyShard(shard, squares);
    learn(kept, shard, await writeIndex(shard, squares, aliases));
  } finally {
    pending.underWay.delete(taken);
  }
}

/** SHA-256 of a file that may be here; a new name or date of what is here is remembered. */
async function knownHash(location: ImageLocation, kept: Catalogue, pending: Pending): Promise<string | undefined> {
  const stamp = await stampOf(location);
  const before = kept.stamps.get(stamp.path);
  if (before?.bytes === stamp.bytes && before.changed === stamp.changed) return before.sha256;
  if (!kept.lengths.has(stamp.bytes)) return undefined;
  const sha256 = await hashLocation(location);
  if (!kept.rows.has(sha256)) return undefined; // what is not written yet is asked for under its own stamp
  const alias = { ...stamp, sha256 };
  kept.stamps.set(stamp.path, alias);
  pending.renamed.push(alias);
  return sha256;
}
