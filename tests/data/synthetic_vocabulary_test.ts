import { assert, assertEquals, assertThrows } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { CHEXPERT_LABELS } from "../../lib/data/types.ts";
import { buildVocabulary } from "../../lib/data/synthetic/vocabulary.ts";
import { SPECIAL_TOKENS } from "../../lib/text/tokenizer.ts";
import { miniVocabulary } from "../../lib/data/synthetic/mini_vocabulary.ts";
import { syntheticCorpus } from "../../lib/data/synthetic/corpus.ts";
import { syntheticStudy } from "../../lib/data/synthetic/chest.ts";

Deno.test("miniVocabulary() makes data/mini_vocab.txt anew, entry for entry", async () => {
  const file = await Deno.readTextFile(fromFileUrl(new URL("../../data/mini_vocab.txt", import.meta.url)));
  assertEquals(miniVocabulary(), file.trimEnd().split("\n"));
});

Deno.test("miniVocabulary() holds every word of reports, prompts and class names whole, and no entry twice", () => {
  const entries = miniVocabulary();
  assertEquals(entries.slice(0, 5), ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]);
  assert(entries.length > 400 && entries.length <= 600, `${entries.length}`);
  const known = new Set(entries);
  assertEquals(known.size, entries.length);
  const words = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? [];
  for (let seed = 50000; seed < 51000; seed++) {
    for (const word of words(syntheticStudy(seed).report)) assert(known.has(word), word);
  }
  for (const word of words(`a chest X-ray image of. Findings suggesting ${CHEXPERT_LABELS.join(" ")}`)) {
    assert(known.has(word), word);
  }
});

Deno.test("buildVocabulary() orders words by frequency, ties by code point, and cuts at the size", () => {
  const least = SPECIAL_TOKENS.length + 24 + 36 + 36;
  const entries = buildVocabulary(["bb aa cc cc", "Cc, bb; dd aa"], least + 3);
  assertEquals(entries.slice(least), ["cc", "aa", "bb"]);
  assertThrows(() => buildVocabulary([], 10), RangeError, `>= ${least}: current value is 10`);
});

Deno.test("syntheticCorpus() is the same for the same seed and holds both prompts of every class", () => {
  assertEquals(syntheticCorpus(300, 2), syntheticCorpus(300, 2));
  const texts = new Set(syntheticCorpus(300, 2));
  for (const name of CHEXPERT_LABELS) {
    assert(texts.has(`a chest X-ray image of ${name}.`) && texts.has(`Findings suggesting ${name}.`));
  }
});
