import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  cropResize8,
  OPENAI_MEAN,
  OPENAI_STD,
  type RasterImage,
  resize,
  toPixels,
  toRgb,
} from "../../lib/image/mod.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import { cpuMilliseconds } from "../cpu_time.ts";

function grey(width: number, height: number, value: (x: number, y: number) => number): RasterImage {
  const data = Uint8Array.from({ length: width * height }, (_, i) => value(i % width, Math.trunc(i / width)));
  return { width, height, channels: 1, bitDepth: 8, data };
}

Deno.test("toPixels() gives [224, 224, 3] numbers of BiomedCLIP's mean and deviation by default", () => {
  const pixels = toPixels(grey(300, 260, () => 255));
  assertEquals(pixels.length, 224 * 224 * 3);
  for (let c = 0; c < 3; c++) assertAlmostEquals(pixels[c]!, (1 - OPENAI_MEAN[c]!) / OPENAI_STD[c]!, 1e-6);
});

Deno.test("toPixels() with mean 0 and std 1 is v / 255 in float32", () => {
  const pixels = toPixels(grey(4, 4, (x) => x), { size: 4, mean: [0, 0, 0], std: [1, 1, 1] });
  assertEquals(
    Array.from(pixels.subarray(0, 12)),
    [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3].map((v) => Math.fround(v / 255)),
  );
});

Deno.test("cropResize8() keeps the centre columns of a wide image and the centre rows of a tall one", () => {
  const wide = cropResize8(grey(10, 4, (x) => x * 10), { size: 4 });
  assertEquals(Array.from(wide.data.subarray(0, 12)), [30, 30, 30, 40, 40, 40, 50, 50, 50, 60, 60, 60]);
  const tall = cropResize8(grey(4, 10, (_, y) => y * 10), { size: 4 });
  assertEquals([0, 12, 24, 36].map((i) => tall.data[i]), [30, 40, 50, 60]);
});

Deno.test("cropResize8() rounds an odd margin's half to the even side, as Python does", () => {
  // Margins of 1 and 3: int(round(0.5)) is 0, int(round(1.5)) is 2.
  assertEquals(cropResize8(grey(5, 4, (x) => x), { size: 4 }).data[0], 0);
  assertEquals(cropResize8(grey(7, 4, (x) => x), { size: 4 }).data[0], 2);
});

Deno.test("cropResize8() pads black round an image first, to a square of at least the size, as MedCLIP does with Pillow", () => {
  const row = (width: number, height: number, y: number): number[] => {
    const image = grey(width, height, (x, y) => (7 * x + 13 * y) % 256);
    const { data } = cropResize8(image, { size: 16, resizeMode: "padded" });
    return Array.from({ length: 16 }, (_, x) => data[(y * 16 + x) * 3]!);
  };
  // Pillow's: Image.new("L", (50, 50)).paste(image, (0, 6)), resized bicubically.
  assertEquals(row(50, 37, 1), [0, 2, 5, 8, 11, 13, 16, 19, 21, 25, 35, 29, 1, 3, 6, 9]);
  assertEquals(row(50, 37, 2), [24, 44, 66, 87, 108, 129, 151, 172, 198, 219, 167, 67, 28, 51, 72, 93]);
  // A small image is not enlarged.
  assertEquals(row(9, 12, 2), [0, 0, 0, 0, 7, 14, 21, 28, 35, 42, 49, 56, 0, 0, 0, 0]);
});

Deno.test("cropResize8() in train mode squeezes the whole image, whatever its aspect", () => {
  const squeezed = cropResize8(grey(64, 8, (x) => x < 32 ? 0 : 255), { size: 8, mode: "train" });
  assertEquals([squeezed.data[0], squeezed.data[7 * 3]], [0, 255]);
});

Deno.test("cropResize8() of a constant image is that constant in every mode", () => {
  for (const [width, height] of [[1, 1], [1, 50], [50, 1], [224, 224], [500, 333], [13, 900]] as const) {
    for (const mode of ["eval", "train"] as const) {
      assertEquals(new Set(cropResize8(grey(width, height, () => 201), { mode }).data), new Set([201]));
    }
  }
});

Deno.test("cropResize8() of an image of 1 x 20000 computes only the crop", () => {
  const start = cpuMilliseconds();
  const out = cropResize8(grey(1, 20_000, (_, y) => y >> 8));
  assertEquals([out.width, out.height], [224, 224]);
  assertEquals(cpuMilliseconds() - start < 2000, true);
});

Deno.test("resize() is linear in flips: a mirrored image gives the mirrored result", () => {
  const rng = mulberry32(7);
  const noise = Uint8Array.from({ length: 31 * 17 }, () => Math.floor(rng() * 256));
  const image = grey(31, 17, (x, y) => noise[y * 31 + x]!);
  const mirrored = grey(31, 17, (x, y) => noise[y * 31 + 30 - x]!);
  for (const filter of ["bicubic", "bilinear"] as const) {
    const a = resize(image, { width: 12, height: 40, filter }).data;
    const b = resize(mirrored, { width: 12, height: 40, filter }).data;
    for (let y = 0; y < 40; y++) for (let x = 0; x < 12; x++) assertEquals(a[y * 12 + x], b[y * 12 + 11 - x]);
  }
});

Deno.test("resize() with a crop equals the crop of the whole result, in either order of passes", () => {
  const rng = mulberry32(8);
  for (const [width, height] of [[40, 33], [12, 90]] as const) {
    const image: RasterImage = {
      width,
      height,
      channels: 3,
      bitDepth: 8,
      data: Uint8Array.from({ length: width * height * 3 }, () => Math.floor(rng() * 256)),
    };
    const whole = resize(image, { width: 20, height: 24 });
    const crop = { left: 5, top: 7, width: 9, height: 11 };
    const part = resize(image, { width: 20, height: 24, crop });
    for (let y = 0; y < 11; y++) {
      const row = ((y + 7) * 20 + 5) * 3;
      assertEquals(part.data.subarray(y * 27, y * 27 + 27), whole.data.subarray(row, row + 27));
    }
  }
});

Deno.test("toRgb() repeats grey, drops alpha, clips 16-bit grey and keeps the upper byte of 16-bit colour", () => {
  const base = { width: 1, height: 1 } as const;
  const rgb = (image: RasterImage): number[] => Array.from(toRgb(image).data);
  assertEquals(rgb({ ...base, channels: 1, bitDepth: 8, data: Uint8Array.of(9) }), [9, 9, 9]);
  assertEquals(rgb({ ...base, channels: 2, bitDepth: 8, data: Uint8Array.of(9, 0) }), [9, 9, 9]);
  assertEquals(rgb({ ...base, channels: 4, bitDepth: 8, data: Uint8Array.of(1, 2, 3, 0) }), [1, 2, 3]);
  assertEquals(rgb({ ...base, channels: 1, bitDepth: 16, data: Uint16Array.of(300) }), [255, 255, 255]);
  assertEquals(rgb({ ...base, channels: 3, bitDepth: 16, data: Uint16Array.of(256, 511, 65535) }), [1, 1, 255]);
});

Deno.test("cropResize8() keeps a 16-bit radiograph when grey16 is highByte, and Pillow's white when it is not", () => {
  const image: RasterImage = {
    width: 2,
    height: 2,
    channels: 1,
    bitDepth: 16,
    data: Uint16Array.of(256, 25600, 51200, 65280),
  };
  const first = (grey16?: "clip" | "highByte"): (number | undefined)[] => {
    const { data } = cropResize8(image, { size: 2, ...(grey16 ? { grey16 } : {}) });
    return [data[0], data[3], data[6], data[9]];
  };
  assertEquals(first(), [255, 255, 255, 255]);
  assertEquals(first("highByte"), [1, 100, 200, 255]);
});

Deno.test("cropResize8(), resize() and toPixels() refuse sizes and statistics that make no sense", () => {
  const image = grey(2, 2, () => 0);
  for (const size of [0, -1, 1.5, NaN]) assertThrows(() => cropResize8(image, { size }), RangeError);
  assertThrows(() => resize(image, { width: 0, height: 3 }), RangeError, "positive integers");
  assertThrows(() => toPixels(image, { mean: [0, 0] }), RangeError, "3 numbers");
  assertThrows(() => toPixels(image, { std: [1, 0, 1] }), RangeError, "not 0");
});
