import { assert, assertEquals, assertThrows } from "@std/assert";
import { decodeRle, encodeRle, uniteMasks } from "../../lib/data/rle.ts";
import type { BinaryMask } from "../../lib/data/types.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";

const rows = (mask: BinaryMask): string[] =>
  Array.from(
    { length: mask.height },
    (_, y) => [...mask.data.slice(y * mask.width, (y + 1) * mask.width)].join(""),
  );

Deno.test("decodeRle() counts down the columns, each start from the end of the last run", () => {
  // positions 1,2 then 2 further on: 4+... width 3, height 4: columns of 4
  assertEquals(rows(decodeRle("1 2 2 3", { width: 3, height: 4 })), ["000", "110", "110", "010"]);
});

Deno.test("decodeRle() counts absolute starts from 1, or from 0 when told", () => {
  const size = { width: 3, height: 4, starts: "absolute" } as const;
  assertEquals(rows(decodeRle("2 2 6 3", size)), ["000", "110", "110", "010"]);
  assertEquals(rows(decodeRle("1 2 5 3", { ...size, first: 0 })), ["000", "110", "110", "010"]);
});

Deno.test("decodeRle() gives the empty mask for -1 and for nothing", () => {
  for (const text of ["-1", " -1", ""]) assert(decodeRle(text, { width: 3, height: 2 }).data.every((v) => v === 0));
  assertEquals(encodeRle({ width: 3, height: 2, data: new Uint8Array(6) }), "-1");
});

Deno.test("decodeRle() refuses runs past the image, odd values, letters, empty and overlapping runs", () => {
  const size = { width: 3, height: 4 };
  assertThrows(() => decodeRle("10 3", size), RangeError, "ends at 13");
  assertEquals(decodeRle("9 3", size).data.reduce((a, b) => a + b), 3);
  assertThrows(() => decodeRle("1 2 3", size), RangeError, "3 values");
  for (const bad of ["1 x", "1.5 2", "-2 3", "1e3 2", "1 99999999999999999"]) {
    assertThrows(() => decodeRle(bad, size), RangeError, "whole numbers");
  }
  assertThrows(() => decodeRle("1 0", size), RangeError, "run 1 has 0");
  assertThrows(() => decodeRle("5 3 6 1", { ...size, starts: "absolute" }), RangeError, "run 2 starts at 6");
  assertThrows(() => decodeRle("0 1", { ...size, starts: "absolute" }), RangeError);
  assertThrows(() => decodeRle("1 1", { width: 1e9, height: 1e9 }), RangeError, "pixels");
});

Deno.test("encodeRle() and decodeRle() undo each other for random masks, in both ways of counting", () => {
  const rng = mulberry32(4);
  for (let i = 0; i < 50; i++) {
    const [width, height] = [1 + Math.floor(rng() * 20), 1 + Math.floor(rng() * 20)];
    const mask = { width, height, data: Uint8Array.from({ length: width * height }, () => rng() < 0.4 ? 1 : 0) };
    for (const options of [{}, { starts: "absolute" }, { starts: "absolute", first: 0 }] as const) {
      assertEquals(decodeRle(encodeRle(mask, options), { ...options, width, height }), mask);
    }
  }
});

Deno.test("decodeRle() agrees with the challenge's own decoder, written out", () => {
  const text = "30 5 10 2 3 40 1 1";
  const [width, height] = [12, 10];
  const flat = new Uint8Array(width * height);
  let at = 0;
  const numbers = text.split(" ").map(Number);
  for (let i = 0; i < numbers.length; i += 2) {
    at += numbers[i]!;
    flat.fill(1, at, at + numbers[i + 1]!);
    at += numbers[i + 1]!;
  }
  const mask = decodeRle(text, { width, height });
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) assertEquals(mask.data[y * width + x], flat[x * height + y]);
  }
});

Deno.test("uniteMasks() sets a pixel that any mask sets, and refuses other sizes", () => {
  const size = { width: 2, height: 1 };
  const [a, b] = [{ ...size, data: new Uint8Array([1, 0]) }, { ...size, data: new Uint8Array([0, 1]) }];
  assertEquals([...uniteMasks([a, b]).data], [1, 1]);
  assertEquals([...a.data], [1, 0]);
  assertThrows(() => uniteMasks([a, { width: 1, height: 2, data: new Uint8Array(2) }]), TypeError, "1 x 2");
  assertThrows(() => uniteMasks([]), TypeError);
});
