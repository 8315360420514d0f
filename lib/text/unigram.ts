/** SentencePiece's unigram tokeniser as SigLIP uses it: canonical text, the likeliest pieces, an end token, a fixed length. @module */
import { type CharacterMap, mapCharacters } from "./character_map.ts";

/** A unigram model, as plain data. Made by `loadUnigram`. */
export interface Unigram {
  /** Tells it from the other tokenisers. */
  kind: "unigram";
  /** Id and log probability of each piece that a text can hold. */
  pieces: ReadonlyMap<string, { id: number; score: number }>;
  /** Pieces in all, those that no text holds (end, unknown) included. */
  size: number;
  /** Code points of the longest piece. */
  longest: number;
  /** Log probability of a character that no piece covers: 10 less than the least of all. */
  unknownScore: number;
  /** Id of the unknown piece. */
  unknownId: number;
  /** Id that ends a text and fills up its row. */
  endId: number;
  /** The model's own normalisation. @default {none} */
  characters?: CharacterMap;
}

/** The mark of a space. */
const SPACE = "▁";
/** Python's `string.punctuation`. */
const PUNCTUATION = /[!-/:-@[-`{-~]/g;

/**
 * Text as SigLIP was trained: lower case, without ASCII punctuation, white space collapsed.
 *
 * Source: big_vision `canonicalize_text`; transformers `SiglipTokenizer`.
 */
export function canonicalText(text: string): string {
  return text.toLowerCase().replaceAll(PUNCTUATION, "").replaceAll(/\s+/gu, " ").trim();
}

/**
 * The ids of `texts`, one row of `contextLength` each: pieces, the end token, and end tokens to the row's end.
 *
 * @returns Row-major ids, `[texts.length, contextLength]`.
 * @throws {RangeError} If `contextLength` is not a whole number of at least 1.
 */
export function encodeUnigram(
  tokenizer: Unigram,
  texts: readonly string[],
  { contextLength }: { contextLength: number },
): Int32Array {
  if (!Number.isInteger(contextLength) || contextLength < 1) {
    throw new RangeError(
      `Cannot encode text as contextLength must be a whole number >= 1: current value is ${contextLength}`,
    );
  }
  const out = new Int32Array(texts.length * contextLength).fill(tokenizer.endId);
  texts.forEach((text, i) => {
    const ids = unigramIds(tokenizer, text);
    out.set(ids.slice(0, contextLength - 1), i * contextLength);
  });
  return out;
}

/** The ids of one text's pieces, without the end token; characters of no piece that follow each other are one unknown. */
function unigramIds(tokenizer: Unigram, text: string): number[] {
  const canonical = canonicalText(text.replaceAll(SPACE, " "));
  const mapped = tokenizer.characters ? mapCharacters(tokenizer.characters, canonical) : canonical;
  const words = mapped.split(" ").filter((word) => word !== "");
  return words.length === 0 ? [] : likeliest(tokenizer, [...SPACE + words.join(SPACE)]);
}

/** The best path's pieces, Viterbi over code points in float32, the earlier start kept where two are equal. */
function likeliest({ pieces, longest, unknownScore, unknownId }: Unigram, characters: readonly string[]): number[] {
  const count = characters.length;
  const best = new Float32Array(count + 1);
  const from = new Int32Array(count + 1).fill(-1);
  const ids = new Int32Array(count + 1);
  const offer = (start: number, end: number, id: number, score: number): void => {
    const total = Math.fround(score + best[start]!);
    if (from[end]! >= 0 && total <= best[end]!) return;
    [best[end], from[end], ids[end]] = [total, start, id];
  };
  for (let start = 0; start < count; start++) {
    let piece = "";
    let hasSingle = false;
    for (let end = start + 1; end <= Math.min(count, start + longest); end++) {
      piece += characters[end - 1]!;
      const known = pieces.get(piece);
      if (!known) continue;
      hasSingle ||= end === start + 1;
      offer(start, end, known.id, known.score);
    }
    if (!hasSingle) offer(start, start + 1, unknownId, unknownScore);
  }
  const path: number[] = [];
  for (let end = count; end > 0; end = from[end]!) path.push(ids[end]!);
  path.reverse();
  return path.filter((id, i) => id !== unknownId || path[i - 1] !== unknownId);
}
