/** OpenCV's area resize, and the squares that GLoRIA and MGCA cut from it (make_area_fixtures.py). */
import { assert, assertEquals } from "@std/assert";
import { resizeArea } from "../../lib/image/area.ts";
import { cropResize8 } from "../../lib/image/preprocess.ts";
import type { RasterImage } from "../../lib/image/raster.ts";
import { newSha256 } from "../../lib/platform/sha256.ts";

interface Fixture {
  cases: { from: [number, number]; to: [number, number]; seed: number; data: string }[];
  squares: { from: [number, number]; seed: number; sum: number; sha256: string }[];
}

const FIXTURE: Fixture = JSON.parse(await Deno.readTextFile(new URL("area.json", import.meta.url)));

/** The generator of make_area_fixtures.py. */
function noise([width, height]: [number, number], seed: number): RasterImage {
  const data = new Uint8Array(width * height);
  for (let i = 0, state = seed; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state >>> 24;
  }
  return { width, height, channels: 1, bitDepth: 8, data };
}

Deno.test("resizeArea() gives OpenCV's pixels where images shrink, and at most one level off where a side grows", () => {
  for (const { from, to, seed, data } of FIXTURE.cases) {
    const wanted = Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
    const [width, height] = to;
    const { data: actual } = resizeArea(noise(from, seed), { width, height });
    const shrinks = width <= from[0] && height <= from[1];
    let worst = 0;
    actual.forEach((value, i) => worst = Math.max(worst, Math.abs(value - wanted[i]!)));
    assert(actual.length === wanted.length && worst <= (shrinks ? 0 : 1), `${from} to ${to}: ${worst}`);
  }
});

Deno.test("cropResize8() cuts GLoRIA's and MGCA's square: the longer side to 256, black margins, the middle 224", () => {
  for (const { from, seed, sum, sha256 } of FIXTURE.squares) {
    const square = cropResize8(noise(from, seed), {
      size: 224,
      resizedTo: 256,
      resizeMode: "longest",
      interpolation: "area",
    });
    const grey = Uint8Array.from({ length: 224 * 224 }, (_, i) => square.data[3 * i]!);
    const grows = Math.max(...from) < 256;
    const actual = grey.reduce((a, b) => a + b, 0);
    if (grows) assert(Math.abs(actual - sum) < 224 * 224, `${from}: ${actual}, wanted ${sum}`);
    else assertEquals(newSha256().update(grey).digest("hex"), sha256, `${from}: sum ${actual}, wanted ${sum}`);
  }
});
