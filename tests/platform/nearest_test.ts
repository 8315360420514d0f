import { assertEquals } from "@std/assert";
import { didYouMean, inSentence, listed, nearest } from "../../lib/platform/nearest.ts";

Deno.test("nearest() finds a word with a slip, a swap, another hyphen or case, its initials, its only continuation or end", () => {
  const flags = ["labels", "learning-rate", "text-column", "image-column", "epochs", "seed", "split", "split-seed"];
  for (
    const [word, expected] of [
      ["label", "labels"],
      ["lr", "learning-rate"],
      ["text_column", "text-column"],
      ["Text Column", "text-column"],
      ["epcohs", "epochs"],
      ["learn", "learning-rate"],
      ["sede", "seed"],
      ["zzz", undefined],
      ["x", undefined],
      ["", undefined],
      ["a".repeat(100_000), undefined],
    ] as const
  ) assertEquals(nearest(word, flags), expected, word.slice(0, 20));
  assertEquals(nearest("trian", ["train", "tokenize"]), "train");
  assertEquals(nearest("gpu", ["webgpu", "wasm", "cpu"]), "webgpu");
  assertEquals(nearest("ab", ["abcd-one", "abcd-two"]), undefined);
});

Deno.test("didYouMean() quotes the nearest word, listed() bounds a list", () => {
  assertEquals(didYouMean("pnuemonia", ["normal", "pneumonia"]), ' (did you mean "pneumonia"?)');
  assertEquals(didYouMean("", ["normal"]), "");
  assertEquals(listed(["a", "b", "c"], 2), "a, b and 1 more");
  assertEquals(listed(["a", "b"], 2), "a, b");
});

Deno.test("inSentence() joins none, one, two and more words", () => {
  assertEquals([[], ["a"], ["a", "b"], ["a", "b", "c"]].map(inSentence), ["", "a", "a and b", "a, b and c"]);
});
