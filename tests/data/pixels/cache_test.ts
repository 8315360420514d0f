/** The pixel cache: what comes out is what was decoded; changes are seen; whoever is killed leaves nothing wrong. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { openPixelCache, type PixelCache } from "../../../lib/data/pixels/cache.ts";
import { decodeFile, squareRgb } from "../../../lib/data/pixels/decode.ts";
import { openDecodePool } from "../../../lib/data/pixels/decode_pool.ts";
import { cropResize8 } from "../../../lib/image/preprocess.ts";
import { encodePng } from "../../../lib/image/png.ts";
import { readImage } from "../../../lib/image/read.ts";
import { mulberry32 } from "../../../lib/tensor/random.ts";
import { inFolder } from "../../folder.ts";

const TRANSFORM = { size: 16, mode: "train" as const };
const python = Deno.env.get("ACE_PYTHON");

/** A PNG of noise, grey or coloured. */
async function writeImage(path: string, seed: number, channels: 1 | 3 = 1): Promise<string> {
  const rng = mulberry32(seed);
  const data = Uint8Array.from({ length: 24 * 20 * channels }, () => 256 * rng());
  await Deno.writeFile(path, encodePng({ width: 24, height: 20, channels, bitDepth: 8, data }));
  return path;
}

async function fill(cache: PixelCache, paths: readonly string[]): Promise<void> {
  for (const path of paths) await cache.put(await decodeFile(path, TRANSFORM));
  await cache.flush();
}

async function rgbOf(cache: PixelCache, path: string): Promise<Uint8Array | undefined> {
  const square = await cache.get(path);
  return square && squareRgb(square);
}

async function expected(path: string): Promise<Uint8Array> {
  return cropResize8(await readImage(path), TRANSFORM).data as Uint8Array;
}

Deno.test("openPixelCache() gives back what was decoded, grey in one channel, in this process and the next", async () => {
  await inFolder(async (folder) => {
    const paths = [await writeImage(join(folder, "a.png"), 1), await writeImage(join(folder, "b.png"), 2, 3)];
    const first = await openPixelCache(join(folder, "cache"), TRANSFORM);
    await fill(first, paths);
    const second = await openPixelCache(join(folder, "cache"), TRANSFORM);
    for (const cache of [first, second]) {
      assertEquals(cache.size, 2);
      for (const path of paths) assertEquals(await rgbOf(cache, path), await expected(path));
      assertEquals((await cache.get(paths[0]!))!.data.length, 16 * 16);
      cache.close();
    }
  });
});

Deno.test("openPixelCache() sees a changed file, knows the same content under another name or date, and keeps transforms apart", async () => {
  await inFolder(async (folder) => {
    const path = await writeImage(join(folder, "a.png"), 1);
    const cache = await openPixelCache(join(folder, "cache"), TRANSFORM);
    await fill(cache, [path]);
    const copy = join(folder, "copy.png");
    await Deno.copyFile(path, copy);
    await Deno.utime(path, 1, 1);
    assertEquals([await rgbOf(cache, copy), await rgbOf(cache, path)], [await expected(path), await expected(path)]);
    await cache.flush(); // the new name and date are kept, too
    await writeImage(path, 7);
    assertEquals(await cache.get(path), undefined);
    const other = await openPixelCache(join(folder, "cache"), { ...TRANSFORM, mode: "eval" });
    assertEquals([other.size, await other.get(copy)], [0, undefined]);
    await assertRejects(() => cache.get(join(folder, "gone.png")), Deno.errors.NotFound);
    cache.close();
    other.close();
  });
});

Deno.test("openPixelCache() by two writers at once holds what both wrote, and a third reads it when it looks again", async () => {
  await inFolder(async (folder) => {
    const paths: string[] = [];
    for (let i = 0; i < 12; i++) paths.push(await writeImage(join(folder, `${i}.png`), i));
    const open = () => openPixelCache(join(folder, "cache"), TRANSFORM, { shardBytes: 3 * 256 });
    const [a, b, reader] = await Promise.all([open(), open(), open()]);
    await Promise.all([fill(a, paths.slice(0, 8)), fill(b, paths.slice(4))]);
    assertEquals(reader.size, 0);
    await reader.refresh();
    assertEquals(reader.size, 12);
    for (const path of paths) assertEquals(await rgbOf(reader, path), await expected(path));
    for (const cache of [a, b, reader]) cache.close();
  });
});

Deno.test("openPixelCache() passes over what a killed writer left, and names a damaged pair with what to do", async () => {
  await inFolder(async (folder) => {
    const path = await writeImage(join(folder, "a.png"), 1);
    const cache = await openPixelCache(join(folder, "cache"), TRANSFORM);
    await fill(cache, [path]);
    cache.close();
    const own = cache.folder;
    await Deno.writeTextFile(join(own, "x.npy.1234.tmp"), "half");
    await Deno.writeTextFile(join(own, "no-index.npy"), "its writer died before the index");
    const again = await openPixelCache(join(folder, "cache"), TRANSFORM);
    assertEquals(await rgbOf(again, path), await expected(path));
    again.close();
    const [index] = [...Deno.readDirSync(own)].filter(({ name }) => name.endsWith(".json"));
    const shard = join(own, index!.name.replace(".json", ".npy"));
    await Deno.truncate(shard, 200);
    const cut = await openPixelCache(join(folder, "cache"), TRANSFORM);
    await assertRejects(() => cut.get(path), SyntaxError, "remove it");
    cut.close();
    for (const [text, word] of [["{", "JSON"], ["{}", "version 1"]] as const) {
      await Deno.writeTextFile(join(own, index!.name), text);
      const error = await assertRejects(() => openPixelCache(join(folder, "cache"), TRANSFORM), SyntaxError, word);
      assert(error.message.includes(index!.name), error.message);
    }
  });
});

Deno.test({
  name: `NumPy maps the cache's shards${python ? "" : " (skipped: ACE_PYTHON is not set)"}`,
  ignore: !python,
  fn: async () => {
    await inFolder(async (folder) => {
      const paths = [await writeImage(join(folder, "a.png"), 1), await writeImage(join(folder, "b.png"), 2, 3)];
      const cache = await openPixelCache(join(folder, "cache"), TRANSFORM);
      await fill(cache, paths);
      cache.close();
      const code = "import glob,json,numpy,sys\n" +
        "for p in sorted(glob.glob(sys.argv[1]+'/*.npy')):\n" +
        "  a=numpy.load(p,mmap_mode='r'); print(json.dumps([list(a.shape), str(a.dtype), int(a.astype(int).sum())]))";
      const { stdout } = await new Deno.Command(python!, { args: ["-c", code, cache.folder] }).output();
      const lines = new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
      const sum = async (path: string): Promise<number> =>
        (await decodeFile(path, TRANSFORM)).data.reduce((total, value) => total + value, 0);
      assertEquals(
        lines.sort((a, b) => a[0].length - b[0].length),
        [[[1, 16, 16], "uint8", await sum(paths[0]!)], [[1, 16, 16, 3], "uint8", await sum(paths[1]!)]],
      );
    });
  },
});

for (const workers of [0, 1, 3]) {
  Deno.test(`openDecodePool() of ${workers} workers decodes the same numbers, and an error names its file alone`, async () => {
    await inFolder(async (folder) => {
      const paths: string[] = [];
      for (let i = 0; i < 7; i++) paths.push(await writeImage(join(folder, `${i}.png`), i, i % 2 ? 3 : 1));
      await Deno.writeTextFile(join(folder, "bad.png"), "no image");
      const pool = openDecodePool({ workers });
      try {
        const bad = pool.decode(join(folder, "bad.png"), TRANSFORM);
        const all = paths.map((path) => pool.decode(path, TRANSFORM));
        const error = await assertRejects(() => bad, SyntaxError);
        assert(error.message.includes("bad.png"), error.message);
        const missing = await assertRejects(() => pool.decode(join(folder, "gone.png"), TRANSFORM), Error);
        assert(missing.message.includes("gone.png"), missing.message);
        for (const [i, square] of (await Promise.all(all)).entries()) {
          assertEquals(squareRgb(square), await expected(paths[i]!));
          assertEquals(square.stamp.path, paths[i]);
        }
      } finally {
        pool.close();
      }
    });
  });
}

Deno.test({
  name: "openDecodePool() whose workers cannot start says so for this file and the next, and waits for nothing",
  permissions: { read: [new URL("../../../lib/data/pixels/", import.meta.url)] }, // not what the worker imports
  fn: async () => {
    const pool = openDecodePool({ workers: 1 });
    await assertRejects(() => pool.decode("a.png", TRANSFORM), Error, "Cannot decode in a worker");
    await assertRejects(() => pool.decode("b.png", TRANSFORM), Error, "Cannot decode in a worker");
    pool.close();
    const unasked = openDecodePool();
    assertEquals(unasked.workers, 0);
    unasked.close();
  },
});
