/** Inflating with a bound by fflate, and CRC-32 by a table, for browsers. @module */
import { Gunzip, Inflate, Unzlib } from "fflate";

/** How much may come out. */
export interface InflateOptions {
  /** Most bytes; more is an error whose `code` is `ERR_BUFFER_TOO_LARGE`. @default {no limit} */
  maxOutputLength?: number;
}

/** What of `node:zlib` is used. */
export interface Zlib {
  /** Inflates zlib's format. */
  inflateSync(bytes: Uint8Array, options?: InflateOptions): Uint8Array;
  /** Inflates bare deflate. */
  inflateRawSync(bytes: Uint8Array, options?: InflateOptions): Uint8Array;
  /** Unpacks gzip. */
  gunzipSync(bytes: Uint8Array, options?: InflateOptions): Uint8Array;
  /** CRC-32, which may be begun with the value of the bytes before. */
  crc32(bytes: Uint8Array, before?: number): number;
}

/** Bytes handed over at a time, so that a bomb is noticed early. */
const PIECE = 1 << 14;

type Stream = Gunzip | Inflate | Unzlib;

/** What comes out of a stream that is given all of some bytes. */
function inflated(stream: Stream, bytes: Uint8Array, { maxOutputLength = Infinity }: InflateOptions = {}): Uint8Array {
  const chunks: Uint8Array[] = [];
  let length = 0;
  stream.ondata = (chunk) => {
    length += chunk.length;
    if (length > maxOutputLength) {
      throw Object.assign(new RangeError(`more than ${maxOutputLength} bytes`), { code: "ERR_BUFFER_TOO_LARGE" });
    }
    chunks.push(chunk);
  };
  for (let offset = 0; offset < bytes.length || offset === 0; offset += PIECE) {
    stream.push(bytes.subarray(offset, offset + PIECE), offset + PIECE >= bytes.length);
  }
  const out = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    out.set(chunk, offset);
    offset += chunk.length;
  }
  return out;
}

const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** The functions for browsers. Unlike Node's they do not check the Adler-32 that ends zlib's data. */
export const portableZlib: Zlib = {
  inflateSync: (bytes, options) => inflated(new Unzlib(), bytes, options),
  inflateRawSync: (bytes, options) => inflated(new Inflate(), bytes, options),
  gunzipSync: (bytes, options) => inflated(new Gunzip(), bytes, options),
  crc32(bytes, before = 0) {
    let crc = ~before;
    for (let i = 0; i < bytes.length; i++) crc = TABLE[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
    return ~crc >>> 0;
  },
};
