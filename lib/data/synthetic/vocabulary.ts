/** A small WordPiece vocabulary from texts. @module */
import { SPECIAL_TOKENS } from "../../text/tokenizer.ts";

/** Characters every vocabulary holds, so that any plain English word can be spelt. */
const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";
const PUNCTUATION = ".,;:!?-'\"()/%+=&<>[]*_#@";

/**
 * A WordPiece vocabulary of at most `size` entries, the same for the same texts: {@linkcode SPECIAL_TOKENS}, single
 * characters, `##` characters, then the most frequent whole words (lower case; ties in code point order).
 *
 * @param texts Any text; it is lower-cased and split at everything that is no letter or digit.
 * @param size Entries wanted; fewer come when the texts hold fewer words.
 * @throws {RangeError} If `size` does not hold the special tokens and the characters.
 */
export function buildVocabulary(texts: readonly string[], size: number): string[] {
  const entries = [...SPECIAL_TOKENS, ...PUNCTUATION, ...ALPHABET, ...[...ALPHABET].map((letter) => `##${letter}`)];
  if (!Number.isInteger(size) || size < entries.length) {
    throw new RangeError(
      `Cannot build a vocabulary as its size must be a whole number >= ${entries.length}: current value is ${size}`,
    );
  }
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of text.toLowerCase().match(/[a-z0-9]{2,}/g) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const words = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([word]) => word);
  return [...entries, ...words.slice(0, size - entries.length)];
}
