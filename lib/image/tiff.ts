/** TIFF files: the first page, grey, RGB or palette, of 8 or 16 bits. TIFF 6.0. @module */
import { decode } from "tiff";
import { lzwLength } from "./_tiff_lzw.ts";
import { oriented } from "./orientation.ts";
import { checkImageSize, type RasterImage } from "./raster.ts";
import { inflateSync } from "../platform/zlib.ts";
import { errorMessage } from "../platform/error_message.ts";

/** Whether the bytes begin as a TIFF does, and are not a DICOM whose preamble lets TIFF readers in (PS3.10 7.1). */
export function isTiff(bytes: Uint8Array): boolean {
  const [a, b, c, d] = bytes;
  if (String.fromCharCode(...bytes.subarray(128, 132)) === "DICM") return false;
  return (a === 0x49 && b === 0x49 && c === 42 && d === 0) || (a === 0x4d && b === 0x4d && c === 0 && d === 42);
}

const SIZES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8]; // bytes of a value, by TIFF's types
/** Most values of one entry: the strips of the largest image read. */
const MAX_VALUES = 1 << 20;

/** The first directory's numbers by tag, each entry checked against the bytes there are, and whether another one follows. */
function readDirectory(bytes: Uint8Array): { fields: Map<number, number[]>; isOnly: boolean } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLittle = bytes[0] === 0x49;
  const within = (offset: number, length: number, what: string): void => {
    if (offset + length > bytes.length) {
      throw new Error(`its ${what} at byte ${offset} must lie within its ${bytes.length} bytes`);
    }
  };
  within(4, 4, "header");
  const directory = view.getUint32(4, isLittle);
  within(directory, 2, "directory");
  const count = view.getUint16(directory, isLittle);
  within(directory, 2 + 12 * count + 4, "directory");
  const fields = new Map<number, number[]>();
  for (let entry = directory + 2, i = 0; i < count; i++, entry += 12) {
    const tag = view.getUint16(entry, isLittle),
      type = view.getUint16(entry + 2, isLittle),
      length = view.getUint32(entry + 4, isLittle);
    const size = SIZES[type];
    if (!size) throw new Error(`its tag ${tag} must be of a type TIFF knows: it is of ${type}`);
    const start = size * length <= 4 ? entry + 8 : view.getUint32(entry + 8, isLittle);
    within(start, size * length, `tag ${tag}`);
    if (type !== 3 && type !== 4) continue;
    if (length > MAX_VALUES) throw new Error(`its tag ${tag} must have at most ${MAX_VALUES} values: it has ${length}`);
    const value = (k: number): number =>
      type === 3 ? view.getUint16(start + 2 * k, isLittle) : view.getUint32(start + 4 * k, isLittle);
    if (fields.has(tag)) throw new Error(`its tag ${tag} comes twice`);
    fields.set(tag, Array.from({ length }, (_, k) => value(k)));
  }
  return { fields, isOnly: view.getUint32(directory + 2 + 12 * count, isLittle) === 0 };
}

const COMPRESSIONS: Readonly<Record<number, string>> = { 1: "none", 5: "LZW", 8: "deflate", 32946: "deflate" };
const OTHERS: Readonly<Record<number, string>> = {
  2: "CCITT",
  3: "fax",
  4: "fax",
  6: "JPEG",
  7: "JPEG",
  32773: "PackBits",
};

interface Layout {
  width: number;
  height: number;
  samples: number;
  bits: 8 | 16;
  photometric: number;
  orientation: number;
  isOnly: boolean;
}

/** Checks that the page is of a kind read, and that its pieces hold what they must and no more. */
function checkLayout(bytes: Uint8Array, name: string): Layout {
  const { fields, isOnly } = readDirectory(bytes);
  const firstOf = (tag: number, fallback: number): number => {
    const values = fields.get(tag) ?? [fallback];
    if (values.length !== 1) throw new Error(`its tag ${tag} must have one value: it has ${values.length}`);
    return values[0]!;
  };
  const [width, height, samples] = [firstOf(256, 0), firstOf(257, 0), firstOf(277, 1)];
  checkImageSize({ width, height }, name);
  const bits = fields.get(258) ?? [1];
  const compression = firstOf(259, 1), photometric = firstOf(262, -1);
  const must = (holds: boolean, what: string): void => {
    if (!holds) throw new Error(`${what}: save it as PNG`);
  };
  must(compression in COMPRESSIONS, `its compression (${OTHERS[compression] ?? compression}) is not read`);
  must(
    bits.every((value) => value === bits[0]) && (bits[0] === 8 || bits[0] === 16),
    `samples of ${bits[0]} bits are not read`,
  );
  must((fields.get(339) ?? [1]).every((format) => format === 1), "samples that are signed or fractions are not read");
  must(photometric >= 0 && photometric <= 3, `its photometric interpretation ${photometric} is not read`);
  must(
    samples === (photometric === 2 ? 3 : 1) || (photometric === 2 && samples === 4),
    `${samples} samples a pixel are not read`,
  );
  must(photometric !== 3 || bits[0] === 8, "a palette of 16 bits is not read");
  must(firstOf(284, 1) === 1 || samples === 1, "planes are not read");
  must(firstOf(274, 1) <= 8, "its orientation is none");
  must(firstOf(266, 1) === 1, "its bit order is not read");
  checkPieces(bytes, fields, {
    ...{ width, height, compression, firstOf },
    pixelBytes: samples * bits[0]! / 8,
  });
  const orientation = Math.max(1, firstOf(274, 1));
  return { width, height, samples, bits: bits[0] as 8 | 16, photometric, orientation, isOnly };
}

/** Checks that the strips or tiles cover the page, lie within the file and hold what they must. */
function checkPieces(
  bytes: Uint8Array,
  fields: ReadonlyMap<number, readonly number[]>,
  { width, height, pixelBytes, compression, firstOf }: {
    width: number;
    height: number;
    pixelBytes: number;
    compression: number;
    firstOf: (tag: number, fallback: number) => number;
  },
): void {
  const isTiled = fields.has(322);
  const across = isTiled ? firstOf(322, 0) : width,
    down = isTiled ? firstOf(323, 0) : Math.min(height, firstOf(278, height));
  if (!(across > 0 && down > 0 && across <= 1 << 15 && down <= 1 << 15)) {
    throw new Error(`its pieces of ${across} x ${down} are no size`);
  }
  const pieces = Math.ceil(width / across) * Math.ceil(height / down);
  const offsets = fields.get(isTiled ? 324 : 273) ?? [], counts = fields.get(isTiled ? 325 : 279) ?? [];
  if (offsets.length !== pieces || counts.length !== pieces) {
    throw new Error(
      `its ${pieces} strips or tiles must each have a place and a size: there are ${offsets.length} and ${counts.length}`,
    );
  }
  offsets.forEach((start, i) => {
    const end = start + counts[i]!;
    if (end > bytes.length) {
      throw new Error(`its strip ${i} must end within its ${bytes.length} bytes: it ends at ${end}`);
    }
    const rows = isTiled ? down : Math.min(down, height - i * down);
    const size = across * pixelBytes * rows;
    const piece = bytes.subarray(start, end);
    const held = compression === 1 ? piece.length : compression === 5 ? lzwLength(piece, size) : inflated(piece, size);
    if (held < size) throw new Error(`its strip ${i} must hold ${size} bytes: it holds ${held}`);
  });
}

function inflated(piece: Uint8Array, size: number): number {
  try {
    return inflateSync(piece, { maxOutputLength: size }).length;
  } catch (error) {
    throw new Error(`a strip does not inflate to its size (${errorMessage(error)})`);
  }
}

/** A copy whose first directory says orientation 1, as the decoder takes no other. */
function withoutOrientation(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  const isLittle = copy[0] === 0x49;
  const directory = view.getUint32(4, isLittle);
  for (let i = view.getUint16(directory, isLittle) - 1, offset = directory + 2 + 12 * i; i >= 0; i--, offset -= 12) {
    if (view.getUint16(offset, isLittle) === 274) view.setUint16(offset + 8, 1, isLittle);
  }
  return copy;
}

/**
 * Reads the first page of a TIFF, turned as its orientation says, as Pillow does. White-is-zero is inverted, a palette expanded.
 *
 * @param bytes The whole file.
 * @param name The file's name, for messages.
 * @throws {SyntaxError} If the file is damaged, above the size limits, or of a kind not read (JPEG or fax compression, other bit
 * depths, planes).
 */
export function decodeTiff(bytes: Uint8Array, name: string): RasterImage {
  try {
    const { width, height, samples, bits, photometric, orientation, isOnly } = checkLayout(bytes, name);
    const [page] = decode(orientation === 1 ? bytes : withoutOrientation(bytes), { pages: [0] });
    const data = page?.data;
    if (!(data instanceof Uint8Array || data instanceof Uint16Array) || data.length !== width * height * samples) {
      throw new Error("its pixels are not what its directory says");
    }
    const notes = isOnly ? {} : { notes: ["it has several pages: the first is read"] };
    const image: RasterImage = { width, height, channels: samples as 1 | 3 | 4, bitDepth: bits, data, ...notes };
    if (photometric !== 3) return oriented(image, orientation);
    const { palette } = page!;
    if (!palette || palette.length < 256) throw new Error("its palette must have 256 colours");
    const rgb = Uint8Array.from({ length: 3 * data.length }, (_, i) => palette[data[Math.floor(i / 3)]!]![i % 3]! >> 8);
    return oriented({ ...image, channels: 3, data: rgb, indexed: true }, orientation);
  } catch (error) {
    if (error instanceof SyntaxError) throw error; // it names the file already
    throw new SyntaxError(`Cannot read "${name}" as TIFF: ${errorMessage(error)}`);
  }
}
