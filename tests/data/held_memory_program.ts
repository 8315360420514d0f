/**
 * What a source of cached images holds after 40 of them and after all 400, each at 224 pixels: MiB alive, as JSON.
 *
 * `deno run --v8-flags=--expose-gc --allow-read --allow-write tests/data/held_memory_program.ts FOLDER`
 */
import { join } from "@std/path";
import { BIOMED_CLIP } from "../../lib/clip/architectures.ts";
import { imageFile } from "../../lib/data/dataset.ts";
import { openPixelCache } from "../../lib/data/pixels/cache.ts";
import { stampOf } from "../../lib/data/pixels/location.ts";
import { openImageReader } from "../../lib/data/pixels/reader.ts";
import { imageSource, squareTransform } from "../../lib/data/sources.ts";
import type { Case } from "../../lib/data/types.ts";

const folder = Deno.args[0]!;
const transform = { ...squareTransform(BIOMED_CLIP, "train"), exif: false };
const cache = await openPixelCache(join(folder, "cache"), transform);
const cases: Case[] = [];
for (let i = 0; i < 400; i++) {
  const path = join(folder, `${i}.png`); // its square is in the cache: nobody decodes it
  await Deno.writeTextFile(path, `${i}`);
  const sha256 = i.toString(16).padStart(64, "0");
  await cache.put({ data: new Uint8Array(224 * 224).fill(i), channels: 1, stamp: await stampOf(path), sha256 });
  cases.push({ id: `${i}`, ...imageFile(path) });
}
await cache.flush();
cache.close();

const reader = openImageReader({ cache: join(folder, "cache"), workers: 1 });
const source = imageSource(cases, BIOMED_CLIP, { mode: "train", reader });

async function heldAfter(from: number, to: number): Promise<number> {
  for (let start = from; start < to; start += 20) {
    const indices = Array.from({ length: 20 }, (_, i) => start + i);
    source.prefetch?.([...indices, ...indices.map((index) => index + 20).filter((index) => index < to)]);
    for (let pass = 0; pass < 2; pass++) await source.pixels(indices); // as micro-batches do
  }
  let least = Infinity;
  for (let round = 0; round < 10; round++) { // buffers are freed by another thread, after the collection
    await new Promise((resolve) => setTimeout(resolve, 20));
    (globalThis as unknown as { gc(): void }).gc();
    const { heapUsed, external } = Deno.memoryUsage();
    if (heapUsed + external < least - 2 ** 18) round = 0; // it is at it
    least = Math.min(least, heapUsed + external);
  }
  return least / 2 ** 20;
}

const few = await heldAfter(0, 40);
const many = await heldAfter(40, 400);
await reader.close();
console.log(JSON.stringify({ few, many }));
