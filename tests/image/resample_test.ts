import { assertEquals } from "@std/assert";
import { type FixedWindows, resampleAcross, resampleDown } from "../../lib/image/_resample.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";

/** The sums one by one, as Pillow's loops write them. */
function plain(
  input: Uint8Array,
  shape: [outer: number, along: number, inner: number],
  axis: FixedWindows,
): Uint8Array {
  const [outer, along, inner] = shape;
  const count = axis.first.length;
  const out = new Uint8Array(outer * count * inner);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < count; i++) {
      for (let c = 0; c < inner; c++) {
        let sum = 1 << 21;
        for (let k = 0; k < axis.length[i]!; k++) {
          sum += input[(o * along + axis.first[i]! + k) * inner + c]! * axis.weights[i * axis.taps + k]!;
        }
        out[(o * count + i) * inner + c] = Math.min(255, Math.max(0, sum >> 22));
      }
    }
  }
  return out;
}

function assertEqualBytes(actual: Uint8Array, expected: Uint8Array, name?: string): void {
  const first = expected.findIndex((value, i) => value !== actual[i]);
  assertEquals([actual.length, first, actual[first]], [expected.length, -1, undefined], name);
}

/** Windows anywhere, with weights of both signs that come to less than 2 in all. */
function someWindows(count: number, along: number, taps: number, rng: () => number): FixedWindows {
  const most = Math.min(taps, along);
  const length = Int32Array.from({ length: count }, () => 1 + Math.floor(rng() * most));
  const first = length.map((n) => Math.floor(rng() * (along - n + 1)));
  const weights = Int32Array.from({ length: count * taps }, () => Math.trunc((rng() - 0.4) * 3 * 2 ** 22 / taps));
  return { first, length, weights, taps };
}

Deno.test("resampleAcross() and resampleDown() give the sums of plain loops, whatever the lines, windows and strips", () => {
  const rng = mulberry32(5);
  for (const taps of [1, 2, 5, 8, 47]) {
    for (const [lines, along] of [[1, 1], [2, 17], [5, 33], [7, 200], [70, taps < 47 ? 300 : 20_000]] as const) {
      for (const channels of [1, 3] as const) {
        const input = Uint8Array.from({ length: lines * along * channels }, () => 256 * rng());
        const windows = someWindows(13, along, taps, rng);
        const name = `${taps} taps, ${lines} x ${along} x ${channels}`;
        const across = resampleAcross(input, { lines, along, channels }, windows);
        assertEqualBytes(across, plain(input, [lines, along, channels], windows), name);
        const down = someWindows(13, lines, taps, rng);
        assertEqualBytes(
          resampleDown(input, along * channels, down),
          plain(input, [1, lines, along * channels], down),
          name,
        );
      }
    }
  }
});

Deno.test("resampleDown() loads a strip again for a window above the one before", () => {
  const input = Uint8Array.from({ length: 3000 * 1000 }, (_, i) => i % 251);
  const windows = {
    first: Int32Array.of(0, 2900, 10),
    length: Int32Array.of(2, 2, 2),
    weights: new Int32Array(6).fill(2 ** 21),
    taps: 2,
  };
  assertEqualBytes(resampleDown(input, 1000, windows), plain(input, [1, 3000, 1000], windows));
});
