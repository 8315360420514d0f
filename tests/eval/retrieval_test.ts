/** Retrieval's ranks by hand, and the laws of recall. */
import { assertEquals, assertThrows } from "@std/assert";
import { retrievalFigures, retrievalRanks } from "../../lib/eval/metrics/retrieval.ts";

Deno.test("retrievalRanks() counts what scores higher, halves ties, and takes any answer of the query's study", () => {
  const similarity = [0.9, 0.1, 0.5, 0.2, 0.8, 0.8, 0.3, 0.3, 0.3];
  assertEquals([...retrievalRanks(similarity, ["a", "b", "c"], ["a", "b", "c"])], [1, 1.5, 2]);
  assertEquals([...retrievalRanks(similarity, ["b", "b", "a"], ["a", "b", "b"])], [2, 1, 2]);
});

Deno.test("retrievalFigures() gives recall at K, median and mean of ranks; recall never falls with K", () => {
  const { recall, medianRank, meanRank, queries } = retrievalFigures([1, 2, 7, 30]);
  assertEquals([recall, medianRank, meanRank, queries], [{ 1: 0.25, 5: 0.5, 10: 0.75 }, 4.5, 10, 4]);
  assertEquals(retrievalFigures([3, 1, 2], { ks: [1, 2, 3] }).recall, { 1: 1 / 3, 2: 2 / 3, 3: 1 });
});

Deno.test("retrievalRanks() refuses a query without a right answer, and scores that do not fit", () => {
  assertThrows(() => retrievalRanks([1, 2], ["a"], ["b", "c"]), RangeError, '"a", has none');
  assertThrows(() => retrievalRanks([1, 2], ["a"], ["a"]), TypeError, "each of 1 answers");
  assertThrows(() => retrievalFigures([]), RangeError, "a query");
});
