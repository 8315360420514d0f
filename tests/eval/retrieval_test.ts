/** Retrieval's ranks by hand, and the laws of recall. */
import { assertEquals, assertThrows } from "@std/assert";
import { retrievalFigures, retrievalRanks } from "../../lib/eval/metrics/retrieval.ts";
import { nearestItems, retrieval } from "../../lib/eval/retrieve.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";

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

Deno.test("retrieval() asks both ways, any text of the study being right, and knows the chance of a random order", () => {
  const image = [1, 0, 0.8, 0.6, 0, 1], text = [0.6, 0.8, 1, 0, 0, 1];
  const apart = retrieval({ image, text, width: 2 }, ["a", "b", "c"], [1, 2]);
  // Cosines: [.6 1 0], [.96 .8 .6], [.8 0 1].
  assertEquals(apart.imageToText.recall, { 1: 1 / 3, 2: 1 });
  assertEquals(apart.textToImage.recall, { 1: 1 / 3, 2: 2 / 3 });
  assertEquals([apart.chance[1]!.toFixed(12), apart.chance[2]!.toFixed(12)], ["0.333333333333", "0.666666666667"]);
  const joined = retrieval({ image, text, width: 2 }, ["a", "a", "c"], [1, 2]);
  assertEquals([joined.imageToText.recall[1], joined.studies, joined.pairs], [1, 2, 3]);
  // Two of three are right for two queries, one for the third: (2/3 + 2/3 + 1/3) / 3.
  assertEquals(joined.chance[1]!.toFixed(12), (5 / 9).toFixed(12));
  assertThrows(() => retrieval({ image, text: [1, 0], width: 2 }, ["a", "b", "c"]), TypeError, "text features");
});

Deno.test("retrieval() in blocks of queries ranks as the whole matrix does", () => {
  const n = 300;
  const random = mulberry32(3);
  const features = () => Float64Array.from({ length: 2 * n }, () => random());
  const [image, text] = [features(), features()];
  const studies = Array.from({ length: n }, (_, i) => String(i >> 1));
  const similarity = Float64Array.from(
    { length: n * n },
    (_, i) =>
      image[2 * Math.floor(i / n)]! * text[2 * (i % n)]! + image[2 * Math.floor(i / n) + 1]! * text[2 * (i % n) + 1]!,
  );
  const whole = retrievalFigures(retrievalRanks(similarity, studies, studies));
  assertEquals(retrieval({ image, text, width: 2 }, studies).imageToText, whole);
});

Deno.test("nearestItems() orders by cosine, of equals the earlier first", () => {
  assertEquals(nearestItems([1, 0], [0, 1, 1, 0, 0.5, 0, 1, 0], 3), [
    { index: 1, score: 1 },
    { index: 3, score: 1 },
    { index: 2, score: 0.5 },
  ]);
});
