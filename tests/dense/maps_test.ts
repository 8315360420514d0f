import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { siimLike } from "../../lib/data/synthetic/sets.ts";
import type { Case } from "../../lib/data/types.ts";
import { type DenseEncoder, weightsHash } from "../../lib/dense/encoder.ts";
import { mapsKey, mapSource } from "../../lib/dense/maps.ts";
import { MINI } from "../../lib/clip/architectures.ts";
import { initClip } from "../../lib/clip/params.ts";
import { encodePng } from "../../lib/image/png.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { noLeak } from "../close.ts";

await selectBackend({ backend: "wasm" });

async function encoderOf({ vision: { trunk } }: ReturnType<typeof initClip>): Promise<DenseEncoder> {
  return { trunk, config: MINI, hash: await weightsHash(trunk) };
}

Deno.test("mapSource() asks about each image as it is encoded, and stops at the case that is refused", async () => {
  await noLeak(async () => {
    const params = initClip(MINI, 1);
    const { cases } = siimLike(5, 3);
    const asked: string[] = [];
    const check = (item: Case, [width, height]: readonly [number, number]) => {
      asked.push(`${item.id} ${width} ${height}`);
      if (item === cases[2]) throw new RangeError(`no ${item.id}`);
    };
    const encoder = await encoderOf(params);
    await assertRejects(() => mapSource(cases, encoder, { batchSize: 2, check }), RangeError, `no ${cases[2]!.id}`);
    assertEquals(asked.toSorted(), cases.slice(0, 4).map(({ id }) => `${id} 64 64`).toSorted());
    disposeParams(params);
  });
});

Deno.test("mapSource() reads from disk what it computed, bit for bit, and computes anew for other weights or images", async () => {
  await noLeak(async () => {
    const cache = await Deno.makeTempDir();
    const params = initClip(MINI, 1);
    const other = initClip(MINI, 2);
    const encoder = await encoderOf(params);
    const { cases } = siimLike(5, 3);
    const indices = [3, 0, 4];
    const fresh = await mapSource(cases, encoder, { batchSize: 2 });
    const first = await mapSource(cases, encoder, { batchSize: 2, cache });
    const second = await mapSource(cases, encoder, { batchSize: 2, cache });
    assertEquals([fresh.computed, first.computed, second.computed], [5, 5, 0]);
    assertEquals([second.grid, second.width, second.size], [8, 96, 5]);
    const wanted = await fresh.maps(indices);
    assertEquals(wanted.length, 3 * 8 * 8 * 96);
    assert(wanted.some((value) => value !== 0));
    assertEquals(await first.maps(indices), wanted);
    assertEquals(await second.maps(indices), wanted);
    assertEquals(second.imageSizes, fresh.imageSizes);
    // The same ids with other pixels, other ids, other weights: other keys.
    const keys = [
      first.key,
      await mapsKey(cases.map((item, i) => ({ ...item, image: siimLike(5, 4).cases[i]!.image })), encoder),
      await mapsKey(cases.slice(0, 4), encoder),
      await mapsKey(cases, await encoderOf(other)),
    ];
    assertEquals(new Set(keys).size, 4);
    assertNotEquals(encoder.hash, (await encoderOf(other)).hash);
    disposeParams(params);
    disposeParams(other);
    await Deno.remove(cache, { recursive: true });
  });
});

Deno.test("mapsKey() is another one when any image's file has changed", async () => {
  const params = initClip(MINI, 1);
  const folder = await Deno.makeTempDir();
  const cases = await Promise.all(
    siimLike(7, 3).cases.map(async (item) => {
      const path = join(folder, `${item.id.replaceAll("/", "_")}.png`);
      await Deno.writeFile(path, encodePng(await item.image()));
      return { ...item, path };
    }),
  );
  const encoder = await encoderOf(params);
  const key = (): Promise<string> => mapsKey(cases, encoder);
  const first = await key();
  assertEquals(await key(), first);
  const other = await siimLike(7, 9).cases[1]!.image();
  await Deno.writeFile(cases[1]!.path, encodePng(other));
  await Deno.utime(cases[1]!.path, 1, 1); // a quick machine writes both in one tick
  assertNotEquals(await key(), first);
  disposeParams(params);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("mapSource() recomputes maps of another key and names a damaged file", async () => {
  const cache = await Deno.makeTempDir();
  const params = initClip(MINI, 1);
  const encoder = await encoderOf(params);
  const { cases } = siimLike(2, 3);
  const { key } = await mapSource(cases, encoder, { cache });
  const path = join(cache, key.slice(0, 16), "0.safetensors");
  const bytes = await Deno.readFile(path);
  const text = new TextDecoder("latin1").decode(bytes);
  const at = text.indexOf(key) + 20;
  bytes[at] = bytes[at] === 48 ? 49 : 48; // the key's 21st digit
  await Deno.writeFile(path, bytes);
  assertEquals((await mapSource(cases, encoder, { cache })).computed, 2);
  await Deno.writeFile(path, bytes.subarray(0, 1000));
  const error = await assertRejects(() => mapSource(cases, encoder, { cache }), SyntaxError);
  assert(error.message.includes(path));
  await assertRejects(() => mapSource([], encoder), RangeError, "there are 0");
  disposeParams(params);
  await Deno.remove(cache, { recursive: true });
});
