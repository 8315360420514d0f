/** Zip files made by hand, with every field open to a lie. */
import { crc32 } from "node:zlib";

/** One record; what is left out is right. */
export interface ZipRecipe {
  name: string;
  data: Uint8Array;
  /** Compression method, in both headers. */
  method?: number;
  /** Sizes and checksum the directory claims. */
  size?: number;
  compressedSize?: number;
  crc?: number;
  flags?: number;
  /** Extra field of the directory entry. */
  extra?: Uint8Array;
  /** Where the directory says the record begins. */
  offset?: number;
  /** What the record's own header claims. */
  localName?: string;
  localSize?: number;
}

/** Latin-1 text as bytes. */
export const latin1 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(text, (char) => char.charCodeAt(0));

/** Joins byte arrays. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    out.set(part, position);
    position += part.length;
  }
  return out;
}

function header(fields: [number, number][], tail: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((sum, [width]) => sum + width, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [width, value] of fields) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  return concat([bytes, ...tail]);
}

/** The bytes of a zip file of these records; `count` is what its end record claims. */
export function makeZip(recipes: readonly ZipRecipe[], count: number = recipes.length): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let position = 0;
  for (const recipe of recipes) {
    const { name, data, method = 0, flags = 0x0800, extra = new Uint8Array(0) } = recipe;
    const crc = recipe.crc ?? crc32(data);
    const [bytes, local] = [latin1(name), latin1(recipe.localName ?? name)];
    const compressed = recipe.compressedSize ?? recipe.size ?? data.length;
    const size = recipe.size ?? data.length;
    const localSize = recipe.localSize ?? (method === 0 ? data.length : size);
    directory.push(header([
      [4, 0x02014b50],
      [2, 20],
      [2, 20],
      [2, flags],
      [2, method],
      [2, 0],
      [2, 33],
      [4, crc],
      [4, compressed],
      [4, size],
      [2, bytes.length],
      [2, extra.length],
      [2, 0],
      [2, 0],
      [2, 0],
      [4, 0],
      [4, recipe.offset ?? position],
    ], [bytes, extra]));
    const head = header([
      [4, 0x04034b50],
      [2, 20],
      [2, flags],
      [2, method],
      [2, 0],
      [2, 33],
      [4, crc],
      [4, method === 0 ? localSize : data.length],
      [4, localSize],
      [2, local.length],
      [2, 0],
    ], [local, data]);
    parts.push(head);
    position += head.length;
  }
  const entries = concat(directory);
  const end = header([[4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, entries.length], [4, position], [
    2,
    0,
  ]], []);
  return concat([...parts, entries, end]);
}

/** A PyTorch archive with this pickle and these storages. */
export function makeTorch(
  pickle: Uint8Array | string,
  storages: Record<string, Uint8Array> = {},
): Uint8Array<ArrayBuffer> {
  return makeZip([
    { name: "x/data.pkl", data: typeof pickle === "string" ? latin1(pickle) : pickle },
    { name: "x/byteorder", data: latin1("little") },
    ...Object.entries(storages).map(([key, data]) => ({ name: `x/data/${key}`, data })),
    { name: "x/version", data: latin1("3\n") },
  ]);
}
