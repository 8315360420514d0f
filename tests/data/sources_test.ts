import { assertEquals } from "@std/assert";
import type { Dataset } from "../../lib/data/types.ts";
import { MINI } from "../../lib/clip/architectures.ts";
import { toPixels } from "../../lib/image/preprocess.ts";
import type { RasterImage } from "../../lib/image/raster.ts";
import { resize } from "../../lib/image/resize.ts";
import { imageFile } from "../../lib/data/dataset.ts";
import { imageSource, type ImageSourceOptions } from "../../lib/data/sources.ts";
import { normalise8 } from "../../lib/image/preprocess.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import { CASES, needsCase } from "../cases.ts";
import pillow from "../image/fixtures/expected.json" with { type: "json" };

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

/** SHA-256 of a training image's 8-bit pixels, read back from what the tower is given. */
async function trainingPixels(path: string, side: number): Promise<string> {
  const config = { ...MINI, vision: { ...MINI.vision, imageSize: side } };
  const pixels = await imageSource([{ id: "a", ...imageFile(path) }], config, { mode: "train" }).pixels([0]);
  const table = normalise8(Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3)), config);
  const values = Array.from(
    { length: 3 },
    (_, c) => new Map(Array.from({ length: 256 }, (_, v) => [table[3 * v + c], v])),
  );
  const bytes = Uint8Array.from(pixels, (x, i) => values[i % 3]!.get(x)!);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

Deno.test("imageSource() in training equals Pillow's convert(RGB), then resize, in every mode of file", async () => {
  const modes = new Set<string>();
  for (const [file, { mode, size, trainRgbFirst }] of Object.entries(pillow.images)) {
    modes.add(mode);
    const path = new URL(`../image/fixtures/${file}`, import.meta.url).pathname;
    assertEquals(await trainingPixels(path, size), trainRgbFirst, file);
  }
  assertEquals([...modes].sort(), ["1", "I;16", "L", "LA", "P", "RGB", "RGBA"]);
});

/** Pillow 13.0.0: `convert("RGB").resize((224, 224), BICUBIC)`. */
const TRAIN_RGB: Record<string, string> = {
  "i16.png": "5199b2ca56711ef9d4ac85d5557f8831ea4cd0f9d76b9666f1950c00e9fb46b5",
  "one.png": "ebacae0839c29d1b3a0f7cec6043aca7e8a24920ea909240f3c7738ef0e8b8b4",
  "pal.png": "aed8efef3f167de70a288c2a84e56b4cea10ce68013870f8f2ffc77d579f6be1",
  "rgba.png": "f29c68f099c12e1de6357d51f30dc155dcecf56840485a7cdba25ae267eb0e3b",
};

Deno.test({
  ...needsCase("train_rgb", "imageSource() in training reads the 16-bit, 1-bit, palette and RGBA cases as Pillow does"),
  async fn() {
    for (const [file, hash] of Object.entries(TRAIN_RGB)) {
      assertEquals(await trainingPixels(`${CASES}/train_rgb/${file}`, 224), hash, file);
    }
  },
});

Deno.test("imageSource() resizes as the configuration says: both sides or the shorter one, bicubic or bilinear", async () => {
  const data = Uint8Array.from({ length: 40 * 24 * 3 }, (_, i) => (i * 37) % 251);
  const image: RasterImage = { width: 40, height: 24, channels: 3, bitDepth: 8, data };
  const { imageSize: size } = MINI.vision;
  for (const resizeMode of ["shortest", "squash"] as const) {
    for (const interpolation of ["bicubic", "bilinear"] as const) {
      const config = { ...MINI, resizeMode, interpolation };
      const pixels = await imageSource([{ id: "a", image: () => Promise.resolve(image) }], config).pixels([0]);
      const [width, height] = resizeMode === "squash" ? [size, size] : [Math.trunc(size * 40 / 24), size];
      const left = Math.round((width - size) / 2);
      const crop = { left, top: 0, width: size, height: size };
      const resized = resize(image, { width, height, crop, filter: interpolation });
      assertEquals(pixels, normalise8(resized.data, MINI), `${resizeMode} ${interpolation}`);
    }
  }
});
