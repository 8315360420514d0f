/** Inflating with a bound, and CRC-32: Node's own where it is there. @module */
import { Gunzip } from "fflate";
import { portableZlib, type Zlib } from "./portable_zlib.ts";
import { builtin } from "./runtime.ts";

type Node = typeof import("node:zlib");
const node = builtin<Node>("node:zlib");
const zlib: Zlib = node ?? portableZlib;

/** Inflates zlib's format. */
export const inflateSync: Zlib["inflateSync"] = zlib.inflateSync;
/** Inflates bare deflate. */
export const inflateRawSync: Zlib["inflateRawSync"] = zlib.inflateRawSync;
/** Unpacks gzip, of one member or several. */
export const gunzipSync: Zlib["gunzipSync"] = zlib.gunzipSync;
/** CRC-32, which may be begun with the value of the bytes before. */
export const crc32: Zlib["crc32"] = zlib.crc32;

/** Unpacks a stream of gzip, of one member or several (`DecompressionStream` refuses the second). */
export async function* gunzipStream(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { Readable } = builtin<typeof import("node:stream")>("node:stream") ?? {};
  if (node && Readable) {
    const readable = Readable.from(source);
    try {
      yield* readable.pipe(node.createGunzip());
    } finally {
      readable.destroy(); // what is damaged or left early is read no further
    }
    return;
  }
  const stream = new Gunzip();
  const chunks: Uint8Array[] = [];
  stream.ondata = (chunk) => void chunks.push(chunk);
  for await (const chunk of source) {
    stream.push(chunk);
    yield* chunks.splice(0);
  }
  stream.push(new Uint8Array(0), true);
  yield* chunks;
}
