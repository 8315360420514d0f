import { assertEquals, assertThrows } from "@std/assert";
import { decodeCocoCounts } from "../../lib/data/rle.ts";
import { compressCocoCounts, encodeCocoCounts, expandCocoCounts } from "../../lib/data/coco_rle.ts";
import { FIXTURE } from "../dense/fixture.ts";

Deno.test("encodeCocoCounts() and compressCocoCounts() write pycocotools' text, and both ways back give the mask", () => {
  for (const { width, height, data, text } of FIXTURE.cocoRle) {
    const mask = { width, height, data: Uint8Array.from(data as string, Number) };
    const counts = encodeCocoCounts(mask);
    assertEquals(compressCocoCounts(counts), text);
    assertEquals(expandCocoCounts(text), counts);
    assertEquals(decodeCocoCounts(counts, { width, height }), mask);
  }
});

Deno.test("encodeCocoCounts() of empty, full and one-pixel masks", () => {
  const mask = (data: number[]) => ({ width: 2, height: 2, data: Uint8Array.from(data) });
  assertEquals(encodeCocoCounts(mask([0, 0, 0, 0])), [4]);
  assertEquals(encodeCocoCounts(mask([1, 1, 1, 1])), [0, 4]);
  assertEquals(encodeCocoCounts(mask([0, 1, 0, 0])), [2, 1, 1]); // the second column's first pixel
});

Deno.test("expandCocoCounts() refuses foreign characters, an unfinished count and negative counts", () => {
  assertThrows(() => expandCocoCounts("4 "), RangeError, 'found " " at character 2');
  assertThrows(() => expandCocoCounts("P"), RangeError, "found its end at character 2");
  assertThrows(() => expandCocoCounts("O"), RangeError, "count 1 is -1");
});
