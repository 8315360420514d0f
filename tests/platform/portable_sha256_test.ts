import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { portableSha256 } from "../../lib/platform/portable_sha256.ts";

Deno.test("portableSha256() equals node:crypto's around the ends of blocks, in one piece and in several", () => {
  for (const length of [0, 1, 3, 55, 56, 63, 64, 65, 119, 120, 128, 1000, 100_003]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31) & 0xff);
    const expected = createHash("sha256").update(bytes).digest("hex");
    assertEquals(portableSha256().update(bytes).digest("hex"), expected, `${length} bytes`);
    const parts = portableSha256();
    for (let at = 0; at < length; at += 37) parts.update(bytes.subarray(at, at + 37));
    assertEquals(parts.digest("hex"), expected, `${length} bytes in parts`);
  }
});

Deno.test("portableSha256() hashes a text as its UTF-8, and the digest of FIPS 180-4's example", () => {
  const digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assertEquals(portableSha256().update("abc").digest("hex"), digest);
  assertEquals(portableSha256().update("a").update("bc").digest("hex"), digest);
  assertEquals(portableSha256().update("é").digest("hex"), createHash("sha256").update("é").digest("hex"));
});
