import { assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import * as zlib from "node:zlib";
import { portableZlib } from "../../lib/platform/portable_zlib.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";

const random = mulberry32(3);
/** What compresses and what does not, around the size of a piece. */
const SAMPLES = [0, 1, 100, 16_384, 16_385, 300_000].flatMap((length) => [
  Uint8Array.from({ length }, (_, i) => (i >> 5) & 0xff),
  Uint8Array.from({ length }, () => Math.floor(256 * random())),
]);
const bytes = (data: Uint8Array): Uint8Array => new Uint8Array(data);

Deno.test("portableZlib inflates zlib, raw deflate and gzip as node:zlib does", () => {
  for (const sample of SAMPLES) {
    for (const level of [0, 1, 9]) {
      assertEquals(portableZlib.inflateSync(bytes(zlib.deflateSync(sample, { level }))), sample);
      assertEquals(portableZlib.inflateRawSync(bytes(zlib.deflateRawSync(sample, { level }))), sample);
      assertEquals(portableZlib.gunzipSync(bytes(zlib.gzipSync(sample, { level }))), sample);
    }
  }
});

Deno.test("portableZlib.gunzipSync() unpacks all members of a file", () => {
  const [a, b] = [SAMPLES[4]!, SAMPLES[10]!];
  const both = bytes(Buffer.concat([zlib.gzipSync(a), zlib.gzipSync(b)]));
  assertEquals(portableZlib.gunzipSync(both), bytes(Buffer.concat([a, b])));
});

Deno.test("portableZlib stops at the bound, with the code that node:zlib gives", () => {
  const packed = bytes(zlib.deflateSync(new Uint8Array(50_000_000), { level: 9 }));
  assertEquals(portableZlib.inflateSync(packed, { maxOutputLength: 50_000_000 }).length, 50_000_000);
  const error = assertThrows(() => portableZlib.inflateSync(packed, { maxOutputLength: 100_000 }), RangeError);
  assertEquals((error as RangeError & { code?: string }).code, "ERR_BUFFER_TOO_LARGE");
});

Deno.test("portableZlib refuses what is cut short or damaged", () => {
  const packed = bytes(zlib.deflateSync(SAMPLES[11]!));
  assertThrows(() => portableZlib.inflateSync(packed.subarray(0, 1000)));
  assertThrows(() => portableZlib.inflateSync(new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8])));
});

Deno.test("portableZlib.crc32() equals node:zlib's, in one piece and in two", () => {
  for (const sample of SAMPLES) {
    assertEquals(portableZlib.crc32(sample), zlib.crc32(sample));
    const half = sample.length >> 1;
    assertEquals(
      portableZlib.crc32(sample.subarray(half), portableZlib.crc32(sample.subarray(0, half))),
      zlib.crc32(sample),
    );
  }
});
