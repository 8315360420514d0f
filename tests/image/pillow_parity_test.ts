import { assertEquals } from "@std/assert";
import { cropResize8, decodeImage, type RasterImage, resize, toPixels, toRgb } from "../../lib/image/mod.ts";

interface Expected {
  mode: string;
  width: number;
  height: number;
  size: number;
  native: string;
  rgb: string;
  eval: string;
  longest: string;
  train: string;
  evalRgbFirst: string;
  trainRgbFirst: string;
  bilinear: string;
}

const folder = new URL("./fixtures/", import.meta.url);
const { images } = JSON.parse(await Deno.readTextFile(new URL("expected.json", folder))) as {
  images: Record<string, Expected>;
};
const read = async (file: string): Promise<RasterImage> =>
  await decodeImage(await Deno.readFile(new URL(file, folder)), file);

async function sha256(data: Uint8Array | Uint16Array): Promise<string> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const digest = await crypto.subtle.digest("SHA-256", bytes.slice());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What Pillow's `open` holds: 16-bit colour is read by its upper byte. */
function asPillowHolds(image: RasterImage): Uint8Array | Uint16Array {
  return image.bitDepth === 16 && image.channels > 1 ? Uint8Array.from(image.data, (value) => value >> 8) : image.data;
}

Deno.test("the fixtures hold at least 20 size and mode combinations in 8 modes", () => {
  const combinations = new Set(Object.values(images).map(({ mode, width, height }) => `${mode} ${width}x${height}`));
  assertEquals(combinations.size >= 20, true, `${combinations.size} combinations`);
  const modes = new Set(Object.values(images).map(({ mode }) => mode));
  assertEquals([...modes].sort(), ["1", "I;16", "L", "LA", "P", "RGB", "RGBA"]);
});

for (const [file, expected] of Object.entries(images)) {
  Deno.test(`decodeImage() and cropResize8() equal Pillow and torchvision bit for bit: ${file} (${expected.mode})`, async () => {
    const image = await read(file);
    assertEquals([image.width, image.height], [expected.width, expected.height]);
    assertEquals(image.data.constructor, image.bitDepth === 8 ? Uint8Array : Uint16Array, "a plain typed array");
    const { size } = expected;
    const got = {
      native: await sha256(asPillowHolds(image)),
      rgb: await sha256(toRgb(image).data),
      eval: await sha256(cropResize8(image, { size }).data),
      longest: await sha256(cropResize8(image, { size, resizeMode: "longest" }).data),
      train: await sha256(cropResize8(image, { size, mode: "train" }).data),
      evalRgbFirst: await sha256(cropResize8(image, { size, rgbFirst: true }).data),
      trainRgbFirst: await sha256(cropResize8(image, { size, mode: "train", rgbFirst: true }).data),
      bilinear: await sha256(resize(toRgb(image), { width: size, height: size + 3, filter: "bilinear" }).data),
    };
    const { mode: _, width: _w, height: _h, size: _s, ...hashes } = expected;
    assertEquals(got, hashes);
  });
}

for (const name of ["grey_1x1", "rgba_up"]) {
  Deno.test(`toPixels() equals ToTensor and Normalize in float32, bit for bit: ${name}`, async () => {
    const bytes = await Deno.readFile(new URL(`${name}.f32`, folder));
    const expected = new Float32Array(bytes.buffer);
    const got = toPixels(await read(`${name}.png`), { size: images[`${name}.png`]!.size });
    assertEquals(got, expected);
  });
}
