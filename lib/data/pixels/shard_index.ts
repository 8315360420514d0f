/** What a shard's .json says: which files its squares came from. @module */
import { writeFileAtomic } from "../../io/files.ts";
import type { DecodedFile } from "./decode.ts";
import type { FileStamp } from "./location.ts";
import type { NpyShard } from "./npy_shard.ts";

/** A file by name, size, time and content. */
export interface HashedFile extends FileStamp {
  /** SHA-256 (hex) of its bytes. */
  sha256: string;
}

/** What NAME.json holds. */
export interface ShardIndex {
  format: typeof FORMAT;
  version: 1;
  rows: number;
  size: number;
  channels: 1 | 3;
  /** The file of each row, and what its reader noted; after them those of files with the content of a row before. */
  files: IndexedFile[];
}

type IndexedFile = [path: string, bytes: number, changed: number | null, sha256: string, notes?: readonly string[]];

const FORMAT = "ace-lora pixel cache";

/** The path of a shard's index. */
export function indexPath(shard: Pick<NpyShard, "path">): string {
  return shard.path.replace(/\.npy$/, ".json");
}

/** Writes the index of a shard; `aliases` are files with the content of a row of any shard. */
export async function writeIndex(
  shard: NpyShard,
  squares: readonly DecodedFile[],
  aliases: readonly HashedFile[],
): Promise<ShardIndex> {
  const { rows, size, channels } = shard;
  const indexed = ({ path, bytes, changed }: FileStamp, sha256: string, notes?: readonly string[]): IndexedFile =>
    notes ? [path, bytes, changed, sha256, notes] : [path, bytes, changed, sha256];
  const files = [
    ...squares.map(({ stamp, sha256, notes }) => indexed(stamp, sha256, notes)),
    ...aliases.map((alias) => indexed(alias, alias.sha256)),
  ];
  const index: ShardIndex = { format: FORMAT, version: 1, rows, size, channels, files };
  await writeFileAtomic(indexPath(shard), JSON.stringify(index), { isPrivate: true });
  return index;
}

/**
 * Reads the text of an index.
 *
 * @param size The side of the squares that its folder holds.
 * @throws {SyntaxError} If it is damaged, or of other squares; the message names the file.
 */
export function parseIndex(text: string, path: string, size: number): ShardIndex {
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
