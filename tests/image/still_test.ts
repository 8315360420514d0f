import { assert, assertEquals, assertRejects } from "@std/assert";
import { decodeImage, describeImage, readImage } from "../../lib/image/mod.ts";
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
