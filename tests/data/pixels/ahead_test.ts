/** Whole images decoded in workers: the same pictures, a few ahead, and an error where its image is asked for. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { imagesAhead } from "../../../lib/data/pixels/ahead.ts";
import { type DecodePool, openDecodePool } from "../../../lib/data/pixels/decode_pool.ts";
import { locationName } from "../../../lib/data/pixels/location.ts";
import { encodePng } from "../../../lib/image/png.ts";
import type { RasterImage } from "../../../lib/image/raster.ts";
import { ImageError, readImage } from "../../../lib/image/read.ts";
import { inFolder } from "../../folder.ts";

const shade = (value: number): RasterImage => ({
  width: 2,
  height: 1,
  channels: 1,
  bitDepth: 8,
  data: Uint8Array.of(value, 255 - value),
});

const items = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ path: `${i}`, image: () => Promise.resolve(shade(99)) }));

/** A pool that notes what it is asked for. */
function notingPool(workers: number): DecodePool & { asked: string[] } {
  const asked: string[] = [];
  return {
    workers,
    asked,
    decode: () => Promise.reject(new Error("not asked for")),
    decodeWhole(location) {
      asked.push(locationName(location));
      return Promise.resolve(shade(Number(locationName(location))));
    },
    close: () => {},
  };
}

Deno.test("imagesAhead() decodes each image once while they are asked for in order, as many ahead as there are workers", async () => {
  const pool = notingPool(2);
  const ahead = imagesAhead(items(6), pool);
  assertEquals([(await ahead[0]!.image()).data[0], pool.asked], [0, ["0"]]);
  assertEquals([(await ahead[1]!.image()).data[0], pool.asked], [1, ["0", "1", "2", "3"]]);
  for (const i of [2, 3, 4, 5]) assertEquals((await ahead[i]!.image()).data[0], i);
  assertEquals(pool.asked, ["0", "1", "2", "3", "4", "5"]);
});

Deno.test("imagesAhead() reads nothing ahead of images asked for here and there, and drops those passed over", async () => {
  const pool = notingPool(2);
  const ahead = imagesAhead(items(9), pool);
  for (const i of [0, 4, 8, 0]) await ahead[i]!.image();
  assertEquals(pool.asked, ["0", "4", "8", "0"]);
  await ahead[1]!.image();
  await ahead[6]!.image();
  await ahead[2]!.image(); // begun before, and dropped
  assertEquals(pool.asked.slice(4), ["1", "2", "3", "6", "2"]);
});

Deno.test("imagesAhead() leaves alone what has no file, a single image, and all where there are no workers", async () => {
  const pool = notingPool(2);
  const drawn = imagesAhead([{ image: () => Promise.resolve(shade(7)) }, ...items(1)], pool);
  assertEquals([(await drawn[0]!.image()).data[0], (await drawn[1]!.image()).data[0], pool.asked], [7, 0, ["0"]]);
  assertEquals((await imagesAhead(items(1), pool)[0]!.image()).data[0], 99);
  assertEquals((await imagesAhead(items(2), notingPool(0))[1]!.image()).data[0], 99);
});

Deno.test("imagesAhead() by workers gives what readImage() reads, and the error of a file where it is asked for", async () => {
  await inFolder(async (folder) => {
    const paths = [0, 1, 2, 3].map((i) => join(folder, `${i}.png`));
    for (const [i, path] of paths.entries()) await Deno.writeFile(path, encodePng(shade(i)));
    await Deno.writeTextFile(paths[2]!, "no image");
    const pool = openDecodePool({ workers: 2 });
    try {
      const ahead = imagesAhead(paths.map((path) => ({ path, image: () => readImage(path) })), pool);
      for (const i of [0, 1]) assertEquals(await ahead[i]!.image(), await readImage(paths[i]!));
      const error = await assertRejects(() => ahead[2]!.image(), ImageError);
      assert(error.message.includes(paths[2]!) && error.path === paths[2], error.message);
      assertEquals(await ahead[3]!.image(), await readImage(paths[3]!));
    } finally {
      pool.close();
    }
  });
});
