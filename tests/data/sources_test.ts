import { assertEquals } from "@std/assert";
import type { Dataset } from "../../lib/data/types.ts";
import { MINI } from "../../lib/clip/config.ts";
import { toPixels } from "../../lib/image/preprocess.ts";
import type { RasterImage } from "../../lib/image/raster.ts";
import { imageSource, type ImageSourceOptions } from "../../lib/data/sources.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";

const SIDE = MINI.vision.imageSize;
const BYTES = SIDE * SIDE * 3; // of one image kept

function picture(seed: number): RasterImage {
  const rng = mulberry32(seed);
  const data = Uint8Array.from({ length: 90 * 70 * 3 }, () => rng() * 256);
  return { width: 90, height: 70, channels: 3, bitDepth: 8, data };
}

/** A source of six images, and how often each has been decoded. */
function counting(options: ImageSourceOptions) {
  const decoded = new Array<number>(6).fill(0);
  const cases: Dataset["cases"] = decoded.map((_, seed) => ({
    id: `${seed}`,
    image: () => {
      decoded[seed]!++;
      return Promise.resolve(picture(seed));
    },
  }));
  return { source: imageSource(cases, MINI, options), decoded };
}

Deno.test("imageSource() gives toPixels() of each image, the first time and when it is kept", async () => {
  for (const mode of ["train", "eval"] as const) {
    const { source, decoded } = counting({ mode });
    const expected = [4, 1].map((seed) =>
      toPixels(picture(seed), { size: SIDE, mode, mean: MINI.mean, std: MINI.std })
    );
    for (let i = 0; i < 2; i++) {
      const pixels = await source.pixels([4, 1]);
      assertEquals(pixels.subarray(0, BYTES), expected[0]);
      assertEquals(pixels.subarray(BYTES), expected[1]);
    }
    assertEquals(decoded, [0, 1, 0, 0, 1, 0]);
  }
});

Deno.test("imageSource() decodes an image of a step in micro-batches once where the batch fits, else twice", async () => {
  const step = async (keptBytes: number): Promise<number[]> => {
    const { source, decoded } = counting({ mode: "train", keptBytes });
    for (let pass = 0; pass < 2; pass++) for (const part of [[5, 2], [0, 3]]) await source.pixels(part);
    return decoded;
  };
  assertEquals(await step(4 * BYTES), [1, 0, 1, 1, 0, 1]);
  assertEquals(await step(2 * BYTES), [2, 0, 2, 2, 0, 2]);
  assertEquals(await step(0), [2, 0, 2, 2, 0, 2]);
});

Deno.test("imageSource() for evaluation keeps a set that fits, and nothing of one that does not", async () => {
  for (const [keptBytes, times] of [[6 * BYTES, 1], [6 * BYTES - 1, 2]] as const) {
    const { source, decoded } = counting({ keptBytes });
    for (let pass = 0; pass < 2; pass++) await source.pixels([3]);
    assertEquals(decoded[3], times);
  }
});
