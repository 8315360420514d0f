/**
 * Writers killed at random moments: no file under its final name is ever partial, and who goes on comes to what one undisturbed
 * writer does. ACE_KILLS says how often (5).
 */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { openPixelCache } from "../../../lib/data/pixels/cache.ts";
import { decodeFile } from "../../../lib/data/pixels/decode.ts";
import { encodePng } from "../../../lib/image/png.ts";
import { mulberry32 } from "../../../lib/tensor/random.ts";
import { inFolder } from "../../folder.ts";

const KILLS = Number(Deno.env.get("ACE_KILLS") ?? 5);
const SIZE = 16;
const TRANSFORM = { size: SIZE, mode: "train" as const };
const IMAGES = 60;
const SCRIPT = fromFileUrl(new URL("./kill_writer.ts", import.meta.url));

/** Every shard whose index is there is whole. */
async function checkWhole(own: string): Promise<void> {
  for (const { name } of [...Deno.readDirSync(own)]) {
    if (!name.endsWith(".json")) continue;
    const { rows, channels } = JSON.parse(await Deno.readTextFile(join(own, name)));
    const { size } = await Deno.stat(join(own, name.replace(".json", ".npy")));
    assertEquals(size, 128 + rows * channels * SIZE * SIZE, name);
  }
}

Deno.test(`fillPixelCache() killed ${KILLS} times at random moments, two writers at once, goes on to the whole`, async () => {
  await inFolder(async (folder) => {
    const rng = mulberry32(Date.now());
    const paths: string[] = [];
    for (let i = 0; i < IMAGES; i++) {
      const data = Uint8Array.from({ length: 200 * 200 }, () => 256 * rng());
      const path = join(folder, `${i}.png`);
      await Deno.writeFile(path, encodePng({ width: 200, height: 200, channels: 1, bitDepth: 8, data }));
      paths.push(path);
    }
    const expected = await Promise.all(paths.map(async (path) => (await decodeFile(path, TRANSFORM)).data));
    let cut = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const cache = join(folder, `cache${kill}`);
      const { folder: own } = await openPixelCache(cache, TRANSFORM);
      const start = (files: string[]): Deno.ChildProcess =>
        new Deno.Command(Deno.execPath(), {
          args: ["run", "--no-check", "--allow-read", "--allow-write", SCRIPT, cache, String(SIZE), ...files],
          stdin: "piped",
          stdout: "piped",
          stderr: "null",
        }).spawn();
      const writers = [start(paths), start([...paths].reverse())];
      await Promise.all(writers.map((writer) => writer.stdout.getReader().read()));
      for (const writer of writers) await writer.stdin.close(); // they begin together, however long each took to start
      for (const end = Date.now() + 100 * rng(); Date.now() < end;) {
        await checkWhole(own);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      for (const writer of writers) {
        try {
          writer.kill("SIGKILL");
        } catch (error) {
          if (!(error instanceof TypeError)) throw error; // it was done already
        }
        await writer.status;
      }
      await checkWhole(own);
      const left = await openPixelCache(cache, TRANSFORM);
      if (left.size < IMAGES) cut++;
      left.close();
      const last = start(paths);
      await last.stdin.close();
      await last.stdout.cancel();
      assert((await last.status).success);
      const reader = await openPixelCache(cache, TRANSFORM);
      for (const [i, path] of paths.entries()) assertEquals((await reader.get(path))!.data, expected[i]);
      reader.close();
    }
    assert(cut > 0, "no writer was killed before its end");
  });
});
