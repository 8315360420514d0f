import { assert, assertEquals, assertRejects } from "@std/assert";
import { decodeImage, describeImage, encodePng, readImage } from "../../lib/image/mod.ts";
import { crc32 } from "../../lib/platform/zlib.ts";
import { fromFileUrl } from "@std/path";
import expected from "./still_fixtures/expected.json" with { type: "json" };

const at = (name: string): string => fromFileUrl(new URL(`still_fixtures/${name}`, import.meta.url));

for (const [name, [width, height, channels, sha256]] of Object.entries(expected.images)) {
  Deno.test(`readImage() equals Pillow bit for bit: ${name}`, async () => {
    const image = await readImage(at(name));
    assertEquals([image.width, image.height, image.channels], [width, height, channels]);
    const bytes = new Uint8Array(image.data.buffer as ArrayBuffer, image.data.byteOffset, image.data.byteLength);
    assertEquals(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex(), sha256);
    const { format } = await describeImage(at(name));
    assertEquals(format, name.endsWith("webp") ? "WebP" : "TIFF");
  });
}

for (
  const [name, reason] of [
    ["jpeg.tif", "its compression (JPEG) is not read: save it as PNG"],
    ["packbits.tif", "its compression (PackBits) is not read"],
    ["onebit.tif", "samples of 1 bits are not read"],
    ["animated.webp", "an animation is not read"],
  ] as const
) {
  Deno.test(`readImage() refuses by name what it does not read: ${name}`, async () => {
    const path = at(`refused_${name}`);
    const error = await assertRejects(() => readImage(path), SyntaxError, reason) as Error;
    assert(error.message.startsWith(`Cannot read "${path}" as `), error.message);
  });
}

Deno.test("decodeImage() refuses a TIFF and a WebP cut after any byte", async () => {
  for (const name of ["rgb_tiff_lzw.tif", "grey_tiff_adobe_deflate.tif", "lossless_rgb.webp"]) {
    const whole = await Deno.readFile(at(name));
    for (let length = 16; length < whole.length - 1; length += 7) {
      const read = () => decodeImage(whole.subarray(0, length), name);
      await assertRejects(read, SyntaxError, name).catch((error) => {
        throw new Error(`${name} cut at ${length}: ${error}`);
      });
    }
  }
});

Deno.test("decodeImage() notes the pages of a TIFF and the animation of a PNG that it does not read", async () => {
  const tiff = await Deno.readFile(at("grey_raw.tif"));
  const view = new DataView(tiff.buffer);
  const directory = view.getUint32(4, true);
  view.setUint32(directory + 2 + 12 * view.getUint16(directory, true), directory, true);
  assertEquals((await decodeImage(tiff, "x")).notes, ["it has several pages: the first is read"]);
  const next = directory + 2 + 12 * view.getUint16(directory, true);
  const cut = new Uint8Array([...tiff, ...tiff.subarray(directory, next)]); // no place of a next page behind it
  new DataView(cut.buffer).setUint32(4, tiff.length, true);
  await assertRejects(() => decodeImage(cut, "x"), SyntaxError, "directory");
  const png = encodePng({ width: 2, height: 1, channels: 1, bitDepth: 8, data: Uint8Array.of(0, 9) });
  const chunk = new Uint8Array(20);
  chunk.set([0, 0, 0, 8, ...new TextEncoder().encode("acTL"), 0, 0, 0, 2, 0, 0, 0, 0]);
  new DataView(chunk.buffer).setUint32(16, crc32(chunk.subarray(4, 16)));
  const animated = new Uint8Array([...png.subarray(0, 33), ...chunk, ...png.subarray(33)]);
  assertEquals((await decodeImage(animated, "x")).notes, ["it is animated: the picture that stands for it is read"]);
  assertEquals((await decodeImage(png, "x")).notes, undefined);
});

Deno.test("decodeImage() notes how much of 16-bit grey turns white, and nothing where none does", async () => {
  const grey = (...data: number[]): Uint8Array =>
    encodePng({ width: data.length, height: 1, channels: 1, bitDepth: 16, data: Uint16Array.from(data) });
  const { notes } = await decodeImage(grey(0, 200, 256, 65535), "x");
  assertEquals(notes, [
    "its 16-bit grey is clipped at 255, as the released code does: 50 % of it turns white; save it in 8 bits",
  ]);
  assertEquals((await decodeImage(grey(0, 200, 255), "x")).notes, undefined);
});
