/**
 * CLIP's tokeniser: lower-cased words as bytes, merged pair by pair, between a begin and an end of text.
 *
 * The ids are those of `transformers`' CLIPTokenizer. After cleaning (the default) open_clip's SimpleTokenizer gives the same
 * for real texts; it differs at a final sigma, U+0345, and some unassigned or recent code points.
 *
 * @module
 */
import { mergeSymbols, type MergeTable, pairKey } from "./byte_bpe_merge.ts";
import { cleanText } from "./clean.ts";

/** CLIP's context length, in tokens, begin and end of text included. */
const CLIP_CONTEXT_LENGTH = 77;

/** A CLIP tokeniser, as plain data. Made by {@linkcode byteBpe} or `loadByteBpe`. */
export interface ByteBpe {
  /** Ids by token. */
  vocabulary: ReadonlyMap<string, number>;
  /** Its merges. */
  merges: MergeTable;
  /** Id of each byte inside a word. */
  inner: Int32Array;
  /** Id of each byte at the end of a word. */
  final: Int32Array;
  /** Id of `<|startoftext|>`, 49406 in OpenAI's. */
  bosId: number;
  /** Id of `<|endoftext|>`, 49407 in OpenAI's. */
  eotId: number;
}

/** Options of {@linkcode encodeByteBpe} and {@linkcode encodeOneByteBpe}. */
export interface ByteBpeOptions {
  /** Tokens a text, begin and end of text included; longer texts lose their end, the end of text stays. @default {77} */
  contextLength?: number;
  /** Whether to clean the text as open_clip does first, see `cleanText`. @default {true} */
  clean?: boolean;
  /** Id of the tokens after the end of text; the model does not see them. @default {0, as open_clip} */
  padId?: number;
}

/** `<|startoftext|>` and `<|endoftext|>`. */
const CLIP_SPECIAL_TOKENS: readonly [string, string] = ["<|startoftext|>", "<|endoftext|>"];

/** The character that stands for each byte in vocabularies and merges: printable Latin-1 itself, the others from U+0100 on. */
export const BYTE_CHARACTERS: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const others = (n: number): number => n < 33 ? n : n < 161 ? 33 + n - 127 : 67;
  const isPrintable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173);
  return String.fromCharCode(isPrintable ? byte : 256 + others(byte));
});

/**
 * The vocabulary of merges alone, as OpenAI's file has it: bytes, bytes that end a word, the merges' results, the two
 * special tokens. The order of the bytes is that of the original: printable ones first.
 */
export function vocabularyOfMerges(merges: readonly (readonly [string, string])[]): Map<string, number> {
  const printable = BYTE_CHARACTERS.filter((c) => c < "\u0100").sort();
  const bytes = [...printable, ...BYTE_CHARACTERS.filter((c) => c >= "\u0100").sort()];
  const tokens = [
    ...bytes,
    ...bytes.map((c) => `${c}</w>`),
    ...merges.map(([left, right]) => left + right),
    ...CLIP_SPECIAL_TOKENS,
  ];
  return new Map(tokens.map((token, id) => [token, id]));
}

/**
 * A tokeniser from merges, in the order of their ranks.
 *
 * @param merges Pairs of tokens; `</w>` ends a word.
 * @param vocabulary Ids by token. @default {the merges', see {@linkcode vocabularyOfMerges}}
 * @throws {RangeError} If a byte, a merge's token or a special token is not in the vocabulary.
 */
export function byteBpe(
  merges: readonly (readonly [string, string])[],
  vocabulary: ReadonlyMap<string, number> = vocabularyOfMerges(merges),
): ByteBpe {
  const id = (token: string): number => {
    const value = vocabulary.get(token);
    if (value !== undefined) return value;
    throw new RangeError(
      `Cannot make a tokenizer as its vocabulary must hold ${
        JSON.stringify(token)
      }: it has ${vocabulary.size} other tokens`,
    );
  };
  const ranks = new Map<number, number>();
  const merged = Int32Array.from(merges, ([left, right], rank) => {
    const key = pairKey(id(left), id(right));
    if (!ranks.has(key)) ranks.set(key, rank);
    return id(left + right);
  });
  return {
    vocabulary,
    merges: { ranks, merged },
    inner: Int32Array.from(BYTE_CHARACTERS, id),
    final: Int32Array.from(BYTE_CHARACTERS, (c) => id(`${c}</w>`)),
    bosId: id(CLIP_SPECIAL_TOKENS[0]),
    eotId: id(CLIP_SPECIAL_TOKENS[1]),
  };
}

/** Unicode's White_Space: not JavaScript's `\s`, which lacks U+0085 and has U+FEFF. */
const SPACES = "\\t-\\r\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SPACE_RUN = new RegExp(`[${SPACES}]+`, "gu");
const WORDS = new RegExp(
  `<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|\\p{L}+|\\p{N}|[^${SPACES}\\p{L}\\p{N}]+`,
  "gu",
);
const SPECIAL_IN_TEXT = /(<\|startoftext\|>|<\|endoftext\|>)/;
/** How the byte-level step cuts a special token that was not written in lower case, and so is none. */
const SPECIAL_PARTS = /\p{L}+|[^\p{L}]+/gu;

/** Lower case of one character; the capitals of Unicode 17 are given, as an engine may know only Unicode 16. */
function lower(character: string): string {
  const point = character.codePointAt(0)!;
  if (point === 0xa7ce || point === 0xa7d2 || point === 0xa7d4) return String.fromCodePoint(point + 1);
  if (point >= 0x16ea0 && point <= 0x16eb8) return String.fromCodePoint(point + 0x1b);
  return character.toLowerCase();
}

/** The words of a text: NFC, white space to spaces, lower case one character at a time. */
function* wordsOf(text: string): Generator<string> {
  let plain = "";
  for (const character of text.normalize("NFC").replace(SPACE_RUN, " ")) plain += lower(character);
  for (const [word] of plain.matchAll(WORDS)) {
    if (word.startsWith("<|") && word.endsWith("text|>")) yield* word.match(SPECIAL_PARTS)!;
    else yield word;
  }
}

const encoder = new TextEncoder();

function wordIds(bpe: ByteBpe, word: string): number[] {
  const bytes = encoder.encode(word);
  const symbols = Int32Array.from(bytes, (byte, i) => (i + 1 < bytes.length ? bpe.inner : bpe.final)[byte]!);
  return mergeSymbols(symbols, bpe.merges);
}

/**
 * The ids of one text between begin and end of text, at most `contextLength` of them and without padding.
 *
 * @param bpe From `loadByteBpe`.
 * @param text Any string; the empty one gives begin and end.
 * @throws {RangeError} If `contextLength` is not a whole number of at least 2.
 */
export function encodeOneByteBpe(bpe: ByteBpe, text: string, options: ByteBpeOptions = {}): number[] {
  const { contextLength = CLIP_CONTEXT_LENGTH, clean = true } = options;
  if (!Number.isInteger(contextLength) || contextLength < 2) {
    throw new RangeError(
      `Cannot encode text as contextLength must be a whole number >= 2: current value is ${contextLength}`,
    );
  }
  const ids = [bpe.bosId];
  const room = contextLength - 1;
  for (const part of (clean ? cleanText(text) : text).split(SPECIAL_IN_TEXT)) {
    if (ids.length >= room) break;
    const special = CLIP_SPECIAL_TOKENS.indexOf(part);
    if (special >= 0) {
      ids.push(special === 0 ? bpe.bosId : bpe.eotId);
      continue;
    }
    for (const word of wordsOf(part)) {
      if (ids.length >= room) break;
      for (const id of wordIds(bpe, word)) ids.push(id);
    }
  }
  ids.length = Math.min(ids.length, room);
  ids.push(bpe.eotId);
  return ids;
}

/**
 * The ids of `texts`, one row of `contextLength` each: open_clip's `tokenizer(texts)`.
 *
 * @param bpe From `loadByteBpe`.
 * @param texts Any strings.
 * @returns Row-major ids; shape `[texts.length, contextLength]`.
 * @throws {RangeError} If `contextLength` is not a whole number of at least 2.
 */
export function encodeByteBpe(bpe: ByteBpe, texts: readonly string[], options: ByteBpeOptions = {}): Int32Array {
  const { contextLength = CLIP_CONTEXT_LENGTH, padId = 0 } = options;
  const rows = texts.map((text) => encodeOneByteBpe(bpe, text, options));
  const out = new Int32Array(texts.length * contextLength).fill(padId);
  rows.forEach((row, i) => out.set(row, i * contextLength));
  return out;
}
