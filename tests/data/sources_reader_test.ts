/** Images read in workers and from a cache: the same numbers as on one thread without either. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { MINI } from "../../lib/clip/architectures.ts";
import { imageFile } from "../../lib/data/dataset.ts";
import { type ImageReaderOptions, openImageReader } from "../../lib/data/pixels/reader.ts";
import { imageSource } from "../../lib/data/sources.ts";
import type { Case } from "../../lib/data/types.ts";
import { encodePng } from "../../lib/image/png.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import { inFolder } from "../folder.ts";

/** Runs the body with nine images, in colour and grey, in a folder. */
async function withImages(body: (folder: string, cases: Case[]) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const cases: Case[] = [];
    for (let i = 0; i < 9; i++) {
      const channels = i % 3 === 0 ? 3 : 1;
      const rng = mulberry32(i);
      const data = Uint8Array.from({ length: 90 * 70 * channels }, () => i === 8 ? 7 : 256 * rng());
      const path = join(folder, `${i}.png`);
      await Deno.writeFile(path, encodePng({ width: 90, height: 70, channels, bitDepth: 8, data }));
      cases.push({ id: `${i}`, ...imageFile(path) });
    }
    await body(folder, cases);
  });
}

const ORDER = [4, 0, 8, 2, 7, 1, 3, 6, 5];

/** The pixels of all cases in batches of 4, each announced before. */
async function read(cases: Case[], mode: "eval" | "train", options?: ImageReaderOptions): Promise<Float32Array[]> {
  const reader = options && openImageReader(options);
  const source = imageSource(cases, MINI, { mode, ...(reader ? { reader } : {}) });
  try {
    const batches: Float32Array[] = [];
    for (let start = 0; start < ORDER.length; start += 4) {
      source.prefetch?.(ORDER.slice(start, start + 8));
      batches.push(await source.pixels(ORDER.slice(start, start + 4)));
    }
    return batches;
  } finally {
    await reader?.close();
  }
}

Deno.test("imageSource() reads the same numbers with any number of workers, with a cache that is empty and one that is full", async () => {
  await withImages(async (folder, cases) => {
    for (const mode of ["eval", "train"] as const) {
      const plain = await read(cases, mode);
      const cache = join(folder, `cache-${mode}`);
      for (
        const options of [{ workers: 0 }, { workers: 1 }, { workers: 3 }, { workers: 2, cache }, { workers: 0, cache }]
      ) {
        assertEquals(await read(cases, mode, options), plain, JSON.stringify(options));
      }
    }
  });
});

Deno.test("openImageReader() tells what readers noted, decoded in a worker or found in the cache", async () => {
  await withImages(async (folder, cases) => {
    for (
      const options of [{ workers: 2 }, { workers: 1, cache: join(folder, "c") }, {
        workers: 0,
        cache: join(folder, "c"),
      }]
    ) {
      const notes: string[] = [];
      await read(cases, "eval", { ...options, note: (line) => notes.push(line) });
      assertEquals(notes.length, 1);
      assert(notes[0]!.includes("8.png") && notes[0]!.includes("one shade"), notes[0]);
    }
  });
});

Deno.test("an image that cannot be read fails the batch that holds it, by name, however early it was announced", async () => {
  await withImages(async (folder, cases) => {
    await Deno.writeTextFile(join(folder, "2.png"), "no image");
    for (const workers of [0, 2]) {
      const reader = openImageReader({ workers });
      const source = imageSource(cases, MINI, { reader });
      source.prefetch!([0, 1, 2, 3]);
      await source.pixels([0, 1]);
      await new Promise((resolve) => setTimeout(resolve, 50)); // it fails while nobody waits
      const error = await assertRejects(() => source.pixels([2, 3]), SyntaxError);
      assert(error.message.includes("2.png"), error.message);
      await reader.close();
    }
  });
});

Deno.test("openImageReader() without a word for a cache that cannot be written throws, else it reads on and says so once", async () => {
  await withImages(async (folder, cases) => {
    const cache = join(folder, "cache");
    const errors: string[] = [];
    const reader = openImageReader({ workers: 1, cache, onCacheError: ({ message }) => errors.push(message) });
    const strict = openImageReader({ workers: 1, cache });
    const source = imageSource(cases, MINI, { reader });
    const plain = await imageSource(cases, MINI).pixels([0, 1]);
    assertEquals(await source.pixels([0, 1]), plain);
    await imageSource(cases, MINI, { reader: strict }).pixels([0, 1]);
    await Deno.remove(cache, { recursive: true });
    await Deno.writeTextFile(cache, "a file where the folder was");
    await assertRejects(() => strict.flush(), Error, "Cannot write");
    await reader.flush();
    await reader.flush();
    assertEquals(errors.length, 1);
    assertEquals(await source.pixels([2]), await imageSource(cases, MINI).pixels([2]));
    await reader.close();
    assertEquals(errors.length, 1);
  });
});

Deno.test("openImageReader() reads on, and says so once, where its cache is not there and cannot be made", async () => {
  const { mkdir } = Deno;
  Deno.mkdir = () => Promise.reject(new Deno.errors.PermissionDenied("Read-only file system"));
  try {
    await withImages(async (folder, cases) => {
      const cache = join(folder, "cache");
      const errors: string[] = [];
      const reader = openImageReader({ workers: 0, cache, onCacheError: ({ message }) => errors.push(message) });
      const source = imageSource(cases, MINI, { reader });
      assertEquals(await source.pixels([0, 1]), await imageSource(cases, MINI).pixels([0, 1]));
      await reader.close();
      assertEquals(errors, [`Cannot keep images in "${cache}": Read-only file system`]);
      const strict = openImageReader({ workers: 0, cache });
      await assertRejects(() => imageSource(cases, MINI, { reader: strict }).pixels([0]), Error, "Cannot keep images");
      await strict.close();
    });
  } finally {
    Deno.mkdir = mkdir;
  }
});

Deno.test("imageSource() with a cache holds no more after 400 images than after 40, however often each is read", async () => {
  await inFolder(async (folder) => {
    const program = fromFileUrl(new URL("./held_memory_program.ts", import.meta.url));
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-check",
        "--v8-flags=--expose-gc",
        "--allow-read",
        "--allow-write",
        program,
        folder,
      ],
    }).output();
    const text = new TextDecoder();
    const { few, many } = JSON.parse(text.decode(stdout) || `"${text.decode(stderr)}"`);
    assert(many - few < 6, `${few} and ${many} MiB: 360 squares are 17 MiB grey, 52 in colour`);
  });
});
