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
import { exists, writeFileAtomic } from "../../io/files.ts";
import type { DecodedFile, Square, SquareTransform } from "./decode.ts";
import { type FileStamp, hashLocation, type ImageLocation, stampOf } from "./location.ts";
import { type NpyShard, openNpyShard, readNpyRow, rowBytes, writeNpyShard } from "./npy_shard.ts";
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

/** What NAME.json holds. */
interface ShardIndex {
  format: typeof FORMAT;
  version: 1;
  rows: number;
  size: number;
  channels: 1 | 3;
  /** Path, bytes, time and SHA-256 of the file of each row, and what its reader noted; after them those of files with the content of a row before. */
  files: [path: string, bytes: number, changed: number | null, sha256: string, notes?: readonly string[]][];
}

interface Row {
  shard: NpyShard;
  row: number;
  notes?: readonly string[];
}

const FORMAT = "ace-lora pixel cache";

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

/**
 * Opens a cache, which is made when missing.
 *
 * @param folder Its folder.
 * @param transform How the images are resized: another one has squares of its own.
 * @throws {Error} If the folder cannot be made or read.
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
  if (!await exists(own)) {
    await Deno.mkdir(own, { recursive: true }).catch((error) => {
      const reason = error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.AlreadyExists
        ? " as it must be a folder: it is a file, or lies below one"
        : `: ${(error as Error).message}`;
      throw new Error(`Cannot keep images in "${folder}"${reason}`, { cause: error });
    });
  }
  const known = new Set<string>();
  const stamps = new Map<string, FileStamp & { sha256: string }>();
  const rows = new Map<string, Row>();
  const lengths = new Set<number>(); // bytes of the files whose squares are here: another length is another content
  const files = new Map<NpyShard, Promise<Deno.FsFile>>();
  const pending = { 1: new Map<string, DecodedFile>(), 3: new Map<string, DecodedFile>() };
  const underWay = new Set<ReadonlyMap<string, DecodedFile>>();
  let renamed: (FileStamp & { sha256: string })[] = [];

  const learn = (shard: NpyShard, index: ShardIndex): void => {
    for (const [row, [path, bytes, changed, sha256, notes]] of index.files.entries()) {
      stamps.set(path, { path, bytes, changed, sha256 });
      lengths.add(bytes);
      if (row < index.rows && !rows.has(sha256)) rows.set(sha256, { shard, row, ...(notes ? { notes } : {}) });
    }
  };
  const writePair = async (
    squares: readonly DecodedFile[],
    channels: 1 | 3,
    aliases: readonly (FileStamp & { sha256: string })[],
  ): Promise<void> => {
    const name = crypto.randomUUID();
    const shard: NpyShard = { path: join(own, `${name}.npy`), rows: squares.length, size, channels };
    if (squares.length > 0) await writeNpyShard(shard, squares);
    const entry = (
      { path, bytes, changed }: FileStamp,
      sha256: string,
      notes?: readonly string[],
    ): ShardIndex["files"][number] => notes ? [path, bytes, changed, sha256, notes] : [path, bytes, changed, sha256];
    const index: ShardIndex = {
      format: FORMAT,
      version: 1,
      rows: squares.length,
      size,
      channels,
      files: [
        ...squares.map(({ stamp, sha256, notes }) => entry(stamp, sha256, notes)),
        ...aliases.map((alias) => entry(alias, alias.sha256)),
      ],
    };
    await writeFileAtomic(join(own, `${name}.json`), JSON.stringify(index), { isPrivate: true });
    known.add(`${name}.json`);
    learn(shard, index);
  };
  const write = async (channels: 1 | 3): Promise<void> => {
    const taken = pending[channels];
    pending[channels] = new Map();
    const squares = [...taken.values()];
    const aliases = renamed;
    renamed = [];
    if (squares.length + aliases.length === 0) return;
    underWay.add(taken);
    try {
      await writePair(squares, channels, aliases);
    } finally {
      underWay.delete(taken);
    }
  };

  /** SHA-256 of a file that may be here; a new name or date of what is here is remembered. */
  const hashOf = async (location: ImageLocation): Promise<string | undefined> => {
    const stamp = await stampOf(location);
    const before = stamps.get(stamp.path);
    if (before?.bytes === stamp.bytes && before.changed === stamp.changed) return before.sha256;
    if (!lengths.has(stamp.bytes)) return undefined;
    const sha256 = await hashLocation(location);
    if (!rows.has(sha256)) return undefined; // what is not written yet is asked for under its own stamp
    const alias = { ...stamp, sha256 };
    stamps.set(stamp.path, alias);
    renamed.push(alias);
    return sha256;
  };
  const waiting = (sha256: string): DecodedFile | undefined =>
    [pending[1], pending[3], ...underWay].find((squares) => squares.has(sha256))?.get(sha256);

  const cache: PixelCache = {
    get size() {
      return rows.size + pending[1].size + pending[3].size;
    },
    folder: own,
    async has(location) {
      const sha256 = await hashOf(location);
      return sha256 !== undefined && (rows.has(sha256) || waiting(sha256) !== undefined);
    },
    async get(location) {
      const sha256 = await hashOf(location);
      if (sha256 === undefined) return undefined;
      const row = rows.get(sha256);
      if (!row) return waiting(sha256);
      let file = files.get(row.shard);
      if (!file) files.set(row.shard, file = openNpyShard(row.shard));
      return { ...readNpyRow(await file, row.shard, row.row), ...(row.notes ? { notes: row.notes } : {}) };
    },
    async put(file) {
      const { channels, sha256, stamp } = file;
      stamps.set(stamp.path, { ...stamp, sha256 });
      if (rows.has(sha256)) return void renamed.push({ ...stamp, sha256 });
      pending[channels].set(sha256, file);
      if (pending[channels].size * rowBytes({ size, channels }) >= shardBytes) await write(channels);
    },
    async flush() {
      await write(1);
      await write(3);
    },
    async refresh() {
      for await (const { name, isFile } of Deno.readDir(own)) {
        if (!isFile || !name.endsWith(".json") || known.has(name)) continue;
        const path = join(own, name);
        const index = parseIndex(await Deno.readTextFile(path), path, size);
        known.add(name);
        learn({ path: path.replace(/\.json$/, ".npy"), rows: index.rows, size, channels: index.channels }, index);
      }
    },
    close() {
      for (const file of files.values()) file.then((opened) => opened.close(), () => {});
      files.clear();
    },
  };
  await cache.refresh();
  return cache;
}

function parseIndex(text: string, path: string, size: number): ShardIndex {
  const refuse = (expected: string): never => {
    throw new SyntaxError(
      `Cannot read "${path}" as ${expected}; remove it and its .npy, and its images are decoded again`,
    );
  };
  let index: ShardIndex;
  try {
    index = JSON.parse(text);
  } catch {
    return refuse("it must be JSON");
  }
  if (index?.format !== FORMAT || index.version !== 1) return refuse(`it must be the index of a ${FORMAT}, version 1`);
  const { rows, channels, files } = index;
  if (index.size !== size || ![1, 3].includes(channels) || !Number.isInteger(rows) || !Array.isArray(files)) {
    return refuse(`it must tell rows, channels and files of squares of ${size} pixels`);
  }
  const isFile = (file: unknown): boolean =>
    Array.isArray(file) && typeof file[0] === "string" && Number.isInteger(file[1]) && /^[0-9a-f]{64}$/.test(file[3]);
  if (rows < 0 || files.length < Math.max(1, rows) || !files.every(isFile)) {
    return refuse("each row must have its file and hash");
  }
  return index;
}
