/**
 * BiomedCLIP's tokeniser: open_clip's cleaning, BERT's words, WordPiece, `[CLS] ... [SEP]`, cut and padded to 256.
 *
 * The ids are those of `transformers`' BertTokenizerFast. The classes of characters are Hugging Face tokenizers' (Rust),
 * kept in a table; the npm package of the same name does not set apart the ideographs past U+FFFF, and has no truncation or
 * padding, so it is not used.
 *
 * @module
 */
import { cleanText } from "./clean.ts";
import { bertWords, type BertWordsOptions } from "./bert_words.ts";
import { wordPiece, type WordPieceModel } from "./word_piece.ts";

/** BiomedCLIP's context length, in tokens, `[CLS]` and `[SEP]` included. */
export const CONTEXT_LENGTH = 256;

/** A BERT tokeniser, as plain data. Made by {@linkcode tokenizerFromVocab} or `loadTokenizer`. */
export interface Tokenizer {
  /** The vocabulary and its spelling. */
  model: WordPieceModel;
  /** How words are made. */
  words: BertWordsOptions;
  /** Special tokens that keep their id when written out in a text, such as `[MASK]`. */
  special: ReadonlyMap<string, number>;
  /** Id of `[CLS]`. */
  clsId: number;
  /** Id of `[SEP]`. */
  sepId: number;
  /** Id of `[PAD]`, 0 in BiomedCLIP. */
  padId: number;
}

/** Options of {@linkcode encode} and {@linkcode encodeOne}. */
export interface EncodeOptions {
  /** Tokens a text, `[CLS]` and `[SEP]` included; longer texts lose their end. @default {256} */
  contextLength?: number;
  /** Whether to clean the text as open_clip does first, see `cleanText`. @default {true} */
  clean?: boolean;
}

/** BERT's special tokens. */
export const SPECIAL_TOKENS: readonly string[] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/** Options of {@linkcode tokenizerFromVocab}. */
export interface TokenizerOptions extends BertWordsOptions {
  /** Prefix of pieces inside a word. @default {"##"} */
  prefix?: string;
  /** Longest word, in code points, that is not unknown. @default {100} */
  maxCharacters?: number;
}

/**
 * A tokeniser from a vocabulary: the tokens in the order of their ids, as the lines of a vocab.txt, or a map to ids.
 *
 * @param vocabulary Tokens in order, or pairs of token and id.
 * @param options See {@linkcode TokenizerOptions}; the defaults are the uncased BERT's.
 * @throws {RangeError} If one of `[PAD] [UNK] [CLS] [SEP]` is missing.
 */
export function tokenizerFromVocab(
  vocabulary: readonly string[] | ReadonlyMap<string, number>,
  options: TokenizerOptions = {},
): Tokenizer {
  const { prefix = "##", maxCharacters = 100, ...words } = options;
  const vocab = "get" in vocabulary ? vocabulary : new Map(vocabulary.map((token, id) => [token, id]));
  const id = (token: string): number => {
    const value = vocab.get(token);
    if (value === undefined) {
      throw new RangeError(
        `Cannot make a tokenizer as its vocabulary must hold ${token}: it has ${vocab.size} other tokens`,
      );
    }
    return value;
  };
  const special = new Map<string, number>();
  for (const token of SPECIAL_TOKENS) if (vocab.has(token)) special.set(token, vocab.get(token)!);
  return {
    model: { vocab, unknownId: id("[UNK]"), prefix, maxCharacters },
    words,
    special,
    clsId: id("[CLS]"),
    sepId: id("[SEP]"),
    padId: id("[PAD]"),
  };
}

/**
 * The ids of one text, `[CLS] ... [SEP]`, at most `contextLength` of them and without padding.
 *
 * @param tokenizer From `loadTokenizer`.
 * @param text Any string; the empty one gives `[CLS] [SEP]`.
 * @throws {RangeError} If `contextLength` is not a whole number of at least 2.
 */
export function encodeOne(tokenizer: Tokenizer, text: string, options: EncodeOptions = {}): number[] {
  const { contextLength = CONTEXT_LENGTH, clean = true } = options;
  if (!Number.isInteger(contextLength) || contextLength < 2) {
    throw new RangeError(
      `Cannot encode text as contextLength must be a whole number >= 2: current value is ${contextLength}`,
    );
  }
  const { model, special, words, clsId, sepId } = tokenizer;
  const ids = [clsId];
  const room = contextLength - 1;
  for (const part of (clean ? cleanText(text) : text).split(/(\[[A-Z]{3,4}\])/)) {
    if (ids.length >= room) break;
    const specialId = special.get(part);
    if (specialId !== undefined) {
      ids.push(specialId);
      continue;
    }
    for (const word of bertWords(part, words)) {
      if (ids.length >= room) break;
      for (const id of wordPiece(model, word)) ids.push(id);
    }
  }
  ids.length = Math.min(ids.length, room);
  ids.push(sepId);
  return ids;
}

/**
 * The ids of `texts`, one row of `contextLength` each, padded with `[PAD]` on the right: open_clip's `tokenizer(texts)`.
 *
 * @param tokenizer From `loadTokenizer`.
 * @param texts Any strings.
 * @returns Row-major ids; shape `[texts.length, contextLength]`.
 * @throws {RangeError} If `contextLength` is not a whole number of at least 2.
 */
export function encode(tokenizer: Tokenizer, texts: readonly string[], options: EncodeOptions = {}): Int32Array {
  const { contextLength = CONTEXT_LENGTH } = options;
  const out = new Int32Array(texts.length * contextLength).fill(tokenizer.padId);
  texts.forEach((text, i) => out.set(encodeOne(tokenizer, text, options), i * contextLength));
  return out;
}
