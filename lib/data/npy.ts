/**
 * NumPy's .npy arrays and .npz archives, as far as image sets use them: whole numbers of 8 to 64 bits (those beyond 2^53 are
 * rounded).
 *
 * @module
 */
import { checkValue, type Rule, TEXT, TEXTS } from "../platform/options.ts";
import { fileSource } from "../io/byte_source.ts";
import { readZipDirectory, readZipRecord } from "../io/zip_directory.ts";

/** An array out of a .npy file. */
export interface NpyArray {
  /** Sizes of its dimensions; the last varies fastest. */
  shape: number[];
  /** Its values. */
  data: Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float64Array;
}

/** Most bytes of an array. */
const LIMIT = 2 ** 31;
/** Bytes that a deflated array may always have; a larger one a hundred times what it takes, as no image set goes beyond. */
const FREE_BYTES = 2 ** 26;
const MOST_EXPANSION = 100;

function refuse(name: string, expected: string, actual: string): never {
  throw new SyntaxError(`Cannot read "${name}" as a NumPy array as ${expected}: ${actual}`);
}

/** The three entries of a header, which is a Python dict: nothing else may stand in it. */
function readHeader(bytes: Uint8Array, name: string): Record<"descr" | "fortran_order" | "shape", string> {
  const text = new TextDecoder("latin1").decode(bytes);
  const fail = (): never =>
    refuse(name, "its header must be a dict of descr, fortran_order and shape", JSON.stringify(text.slice(0, 60)));
  const body = /^ *\{([^{}]*)\}[ \n]*$/.exec(text)?.[1] ?? fail();
  const entry = / *'(descr|fortran_order|shape)' *: *('[^']*'|True|False|\((?:\d+(?:, *\d+)*,?)?\)) *(?:, *|$)/y;
  const fields = new Map<string, string>();
  for (let match; entry.lastIndex < body.length && (match = entry.exec(body));) {
    if (fields.has(match[1]!)) fail();
    fields.set(match[1]!, match[2]!);
    if (entry.lastIndex === body.length) {
      const [descr, order, shape] = ["descr", "fortran_order", "shape"].map((key) => fields.get(key));
      if (!descr?.startsWith("'") || !order || !/^[TF]/.test(order) || !shape?.startsWith("(")) fail();
      return { descr: descr!, fortran_order: order!, shape: shape! };
    }
  }
  return fail();
}

/** What an array is read from. */
const BYTES: Rule = { must: "bytes, a Uint8Array", allows: (value) => value instanceof Uint8Array };

/**
 * Reads one .npy file: version 1 to 3, little endian, in C order.
 *
 * @param bytes The file.
 * @param name Its name, for messages.
 * @throws {SyntaxError} If it is not such a file, its type is not of whole numbers, or its size is not the header's.
 */
export function readNpy(bytes: Uint8Array, name: string): NpyArray {
  checkValue("read a NumPy array", "it", bytes, BYTES);
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
  if (bytes.length < 12 || magic.some((byte, i) => bytes[i] !== byte)) {
    refuse(name, "it must begin with \\x93NUMPY", "it does not");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const long = bytes[6]! > 1;
  const start = long ? 12 : 10;
  const end = start + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  if (end > bytes.length) refuse(name, `its header must end within its ${bytes.length} bytes`, `it ends at ${end}`);
  const { descr, fortran_order: order, shape: sizes } = readHeader(bytes.subarray(start, end), name);
  if (order !== "False") refuse(name, "it must be in C order", "it is not");
  const type = descr.slice(1, -1);
  const shape = sizes.slice(1, -1).split(",").map((part) => part.trim()).filter(Boolean).map(Number);
  const bits = { "1": 8, "2": 16, "4": 32, "8": 64 }[type.slice(2)];
  if (!/^[|<][uib]\d$/.test(type) || !bits) {
    return refuse(name, "its type must be little-endian whole numbers", `it is ${JSON.stringify(type.slice(0, 16))}`);
  }
  const count = shape.reduce((a, b) => a * b, 1);
  if (count * bits / 8 !== bytes.length - end) {
    refuse(
      name,
      `its shape (${shape.join(", ")}) must fill ${count * bits / 8} bytes`,
      `there are ${bytes.length - end}`,
    );
  }
  const buffer = bytes.slice(end).buffer;
  const signed = type[1] === "i";
  if (bits === 8) return { shape, data: signed ? new Int8Array(buffer) : new Uint8Array(buffer) };
  if (bits === 16) return { shape, data: signed ? new Int16Array(buffer) : new Uint16Array(buffer) };
  if (bits === 32) return { shape, data: signed ? new Int32Array(buffer) : new Uint32Array(buffer) };
  return { shape, data: Float64Array.from(signed ? new BigInt64Array(buffer) : new BigUint64Array(buffer), Number) };
}

const FORMAT = "a .npz archive";

/**
 * Reads arrays of a .npz archive; the others are left where they are.
 *
 * @param path The file.
 * @param names Arrays wanted, without ".npy".
 * @throws {SyntaxError} If it is no whole zip archive, or an array is missing, damaged or of more than 2 GiB.
 */
export async function readNpz(path: string, names: readonly string[]): Promise<Record<string, NpyArray>> {
  checkValue("read NumPy arrays", "their path", path, TEXT);
  checkValue("read NumPy arrays", "names", names, TEXTS);
  const source = await fileSource(path);
  try {
    const records = await readZipDirectory(source, FORMAT);
    const out: Record<string, NpyArray> = {};
    for (const name of names) {
      const label = `${name}.npy`;
      const record = records.get(label);
      if (!record) {
        throw new SyntaxError(
          `Cannot read "${path}" as it must hold ${label}: it holds ${[...records.keys()].join(", ") || "nothing"}`,
        );
      }
      const { size, inflated = size } = record;
      const limit = inflated === size ? LIMIT : Math.min(LIMIT, Math.max(FREE_BYTES, size * MOST_EXPANSION));
      if (inflated > limit) {
        refuse(
          `${path}: ${label}`,
          `it must have at most ${limit} bytes`,
          `it has ${inflated}, of ${size} in the archive`,
        );
      }
      out[name] = readNpy(await readZipRecord(source, record, { label, format: FORMAT }), `${path}: ${label}`);
    }
    return out;
  } finally {
    source.close();
  }
}
