/** The members of a tar archive, by place: their bytes are not read. @module */
import { type OpenFile, system } from "../platform/system.ts";

/** A file within an archive. */
export interface TarMember {
  /** Its path within the archive. */
  name: string;
  /** Where its bytes begin. */
  offset: number;
  /** How many they are. */
  size: number;
}

const BLOCK = 512;

/** Longest name or pax record read, bytes. */
const MOST_HEADER = 1 << 20;

/**
 * Walks through an uncompressed archive: ustar, with the long names of GNU and pax. Folders and links are passed over.
 *
 * Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; GNU tar manual, "Basic Tar Format".
 *
 * @throws {SyntaxError} If it is compressed, damaged or cut short; the message names archive and place.
 */
export async function listTar(path: string): Promise<TarMember[]> {
  const file = await system.open(path);
  try {
    return await membersOf(file, path);
  } finally {
    file.close();
  }
}

async function membersOf(file: OpenFile, path: string): Promise<TarMember[]> {
  const { size: length } = await file.stat();
  const members: TarMember[] = [];
  const refuse = (why: string): never => {
    throw new SyntaxError(`Cannot read "${path}" as a tar archive as ${why}`);
  };
  const read = async (offset: number, count: number): Promise<Uint8Array> => {
    if (offset + count > length) refuse(`it must hold ${offset + count} bytes: it has ${length}, it is cut short`);
    return await tarBytes(file, offset, count);
  };
  let extended: { path?: string; size?: number } = {};
  for (let start = 0; start < length;) {
    const head = await read(start, BLOCK);
    if (head.every((byte) => byte === 0)) return members;
    if (start === 0 && head[0] === 0x1f && head[1] === 0x8b) {
      refuse("it must not be compressed: it is gzipped; gunzip it");
    }
    if (!isSummed(head)) refuse(`each header must have its checksum: that at byte ${start} has another`);
    const type = String.fromCharCode(head[156]!);
    const stated = numberAt(head, 124, 12);
    const size = "xgLK".includes(type) ? stated : extended.size ?? stated;
    if (!Number.isSafeInteger(size) || size < 0) refuse(`sizes must be whole numbers: that at byte ${start} is not`);
    const offset = start + BLOCK;
    if (offset + size > length) {
      refuse(`"${extended.path ?? nameOf(head)}" must end within it: its ${size} bytes do not, it is cut short`);
    }
    start = offset + Math.ceil(size / BLOCK) * BLOCK;
    if ("xgLK".includes(type)) {
      if (size > MOST_HEADER) {
        refuse(`a header must have at most ${MOST_HEADER} bytes: that at byte ${offset} has ${size}`);
      }
      const bytes = await read(offset, size);
      if (type === "L") extended.path = textOf(bytes);
      if (type === "x") extended = { ...extended, ...paxOf(bytes) };
      continue;
    }
    if (type === "0" || type === "\0" || type === "7") {
      members.push({ name: (extended.path ?? nameOf(head)).replace(/^(\.\/)+/, ""), offset, size });
    }
    extended = {};
  }
  return length > 0 ? members : refuse("it must hold a file: it is empty");
}

/** Bytes of an archive. @throws {SyntaxError} If there are not so many. */
export async function tarBytes(file: OpenFile, offset: number, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  await file.seek(offset, 0);
  for (let done = 0; done < count;) {
    const read = await file.read(bytes.subarray(done));
    if (read === null) throw new SyntaxError(`${count} bytes must follow byte ${offset}: it is cut short`);
    done += read;
  }
  return bytes;
}

function isSummed(head: Uint8Array): boolean {
  let sum = 8 * 32; // the checksum's own field counts as blanks
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += head[i]!;
  return numberAt(head, 148, 8) === sum;
}

/** An octal number, or with its first bit set a big-endian one, as GNU writes large sizes. */
function numberAt(head: Uint8Array, start: number, count: number): number {
  if (head[start]! & 0x80) {
    return head.subarray(start + 1, start + count).reduce((value, byte) => value * 256 + byte, head[start]! & 0x7f);
  }
  const text = textOf(head.subarray(start, start + count)).trim();
  return text === "" ? 0 : /^[0-7]+$/.test(text) ? parseInt(text, 8) : NaN;
}

function nameOf(head: Uint8Array): string {
  const prefix = textOf(head.subarray(257, 262)) === "ustar" && head[262] === 0 ? textOf(head.subarray(345, 500)) : "";
  const name = textOf(head.subarray(0, 100));
  return prefix ? `${prefix}/${name}` : name;
}

/** Text up to the first zero. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Path and size of records such as `18 path=long/name\n`. */
function paxOf(bytes: Uint8Array): { path?: string; size?: number } {
  const out: { path?: string; size?: number } = {};
  for (let offset = 0; offset < bytes.length;) {
    const blank = bytes.indexOf(32, offset);
    const count = blank < 0 ? NaN : Number(new TextDecoder().decode(bytes.subarray(offset, blank)));
    if (!Number.isInteger(count) || count < 5 || offset + count > bytes.length) {
      throw new SyntaxError("Cannot read a tar archive as its pax records must tell their length: one does not");
    }
    const record = new TextDecoder().decode(bytes.subarray(blank + 1, offset + count - 1));
    const equals = record.indexOf("=");
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)];
    if (key === "path") out.path = value;
    if (key === "size") out.size = Number(value);
    offset += count;
  }
  return out;
}
