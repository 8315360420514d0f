/** Many squares in one .npy file, written whole and read row by row. @module */
import { writeAll, writeFileAtomicWith } from "../../io/files.ts";
import type { Square } from "./decode.ts";
import { errorMessage } from "../../platform/error_message.ts";

/** A .npy file of squares, uint8 `[n, S, S]` or `[n, S, S, 3]`. */
export interface NpyShard {
  /** Its path. */
  path: string;
  /** Rows, n. */
  rows: number;
  /** Side S, pixels. */
  size: number;
  /** Channels. */
  channels: 1 | 3;
}

/** Bytes before the first row: NumPy's header is padded to a multiple of 64. */
const HEADER = 128;

function header({ rows, size, channels }: Omit<NpyShard, "path">): Uint8Array {
  const shape = [rows, size, size, ...(channels === 3 ? [3] : [])].join(", ");
  const text = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape}), }`;
  const bytes = new TextEncoder().encode(`\x00NUMPY\x01\x00..${text.padEnd(HEADER - 11)}\n`);
  bytes[0] = 0x93;
  new DataView(bytes.buffer).setUint16(8, HEADER - 10, true);
  return bytes;
}

/** Bytes of one row. */
export function rowBytes({ size, channels }: Pick<NpyShard, "size" | "channels">): number {
  return size * size * channels;
}

/** Writes a shard's rows, whole or not at all. */
export async function writeNpyShard(shard: NpyShard, squares: readonly Square[]): Promise<void> {
  await writeFileAtomicWith(shard.path, async (file) => {
    await writeAll(file, header(shard));
    for (const { data } of squares) await writeAll(file, data);
  }, { isPrivate: true });
}

/** Checks that a shard's file is as long as its rows ask for, and opens it. */
export async function openNpyShard(shard: NpyShard): Promise<Deno.FsFile> {
  const expected = HEADER + shard.rows * rowBytes(shard);
  const file = await Deno.open(shard.path).catch((error) => {
    throw new Error(`Cannot read "${shard.path}": ${errorMessage(error)}; its index names it`, { cause: error });
  });
  const { size } = await file.stat();
  if (size === expected) return file;
  file.close();
  throw new SyntaxError(
    `Cannot read "${shard.path}" as it must have ${expected} bytes: it has ${size}; remove it and its .json, and its images are decoded again`,
  );
}

/** Reads one row, at once: two readers of one file would move its position under each other. */
export function readNpyRow(file: Deno.FsFile, shard: NpyShard, row: number): Square {
  const data = new Uint8Array(rowBytes(shard));
  file.seekSync(HEADER + row * data.length, Deno.SeekMode.Start);
  for (let done = 0; done < data.length;) {
    const count = file.readSync(data.subarray(done));
    if (count === null) {
      throw new SyntaxError(`Cannot read "${shard.path}" row ${row} as it must be whole: it is cut short`);
    }
    done += count;
  }
  return { data, channels: shard.channels };
}
