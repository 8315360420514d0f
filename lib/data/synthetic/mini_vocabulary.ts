/** The vocabulary of the mini model's tokeniser, kept in data/mini_vocab.txt. @module */
import { syntheticCorpus } from "./corpus.ts";
import { buildVocabulary } from "./vocabulary.ts";

/** Texts, seed and most entries of the mini model's vocabulary. */
const MINI_VOCABULARY: Readonly<{ texts: number; seed: number; size: number }> = {
  texts: 8000,
  seed: 20260323,
  size: 600,
};

/** The entries of data/mini_vocab.txt, in order, made anew from {@linkcode MINI_VOCABULARY}. */
export function miniVocabulary(): string[] {
  const { texts, seed, size } = MINI_VOCABULARY;
  return buildVocabulary(syntheticCorpus(texts, seed), size);
}
