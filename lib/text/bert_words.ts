/**
 * BERT's basic tokenisation: text to normalised words, before WordPiece.
 *
 * Source: Hugging Face tokenizers' BertNormalizer and BertPreTokenizer (Rust), character class by character class.
 *
 * @module
 */
import { CONTROL, MARKS, PUNCTUATION } from "./unicode_tables.ts";

/** Options of {@linkcode bertWords}, named as in tokenizer.json's `normalizer`. */
export interface BertWordsOptions {
  /** Lower-case the text. @default {true} */
  lowercase?: boolean;
  /** Decompose and drop nonspacing marks. @default the value of `lowercase` */
  stripAccents?: boolean;
  /** Make each CJK ideograph a word. @default {true} */
  handleChineseChars?: boolean;
  /** Drop control characters, and turn every white space into a space. @default {true} */
  cleanText?: boolean;
}

const control = unpack(CONTROL);
const marks = unpack(MARKS);
const punctuation = unpack(PUNCTUATION);

/** Ranges, flattened to `[first, last, first, last, ...]`, from the packed table. */
function unpack(table: string): Uint32Array {
  const words = table.split(" ");
  const out = new Uint32Array(2 * words.length);
  let next = 0;
  words.forEach((word, i) => {
    const [gap, length] = word.split(".");
    out[2 * i] = next + parseInt(gap!, 36);
    out[2 * i + 1] = out[2 * i]! + (length ? parseInt(length, 36) : 0);
    next = out[2 * i + 1]! + 1;
  });
  return out;
}

/** Whether `point` lies in one of the sorted ranges. */
function within(ranges: Uint32Array, point: number): boolean {
  let low = 0;
  let high = ranges.length / 2 - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (point < ranges[2 * middle]!) high = middle - 1;
    else if (point > ranges[2 * middle + 1]!) low = middle + 1;
    else return true;
  }
  return false;
}

/** The ideographs that BERT sets apart: its own list of blocks, Hangul and kana not among them. */
function isChinese(point: number): boolean {
  return (point >= 0x4e00 && point <= 0x9fff) || (point >= 0x3400 && point <= 0x4dbf) ||
    (point >= 0x20000 && point <= 0x2a6df) || (point >= 0x2a700 && point <= 0x2b73f) ||
    (point >= 0x2b740 && point <= 0x2b81f) || (point >= 0x2b920 && point <= 0x2ceaf) ||
    (point >= 0xf900 && point <= 0xfaff) || (point >= 0x2f800 && point <= 0x2fa1f);
}

function cleaned(text: string, cleanText: boolean, chinese: boolean): string {
  let out = "";
  for (const char of text) {
    const point = char.codePointAt(0)!;
    if (cleanText && within(control, point)) continue;
    if (cleanText && /\p{White_Space}/u.test(char)) out += " ";
    else out += chinese && isChinese(point) ? ` ${char} ` : char;
  }
  return out;
}

function withoutMarks(text: string): string {
  let out = "";
  for (const char of text.normalize("NFD")) if (!within(marks, char.codePointAt(0)!)) out += char;
  return out;
}

/** Lower case one character at a time, so that a final capital sigma becomes an ordinary small one, as in Rust. */
function lowered(text: string): string {
  let out = "";
  for (const char of text) out += char.toLowerCase();
  return out;
}

/**
 * The words of `text` after BERT's normalisation: split at white space, each punctuation mark a word of its own.
 *
 * @param text Any string; lone surrogates count as control characters.
 * @param options See {@linkcode BertWordsOptions}; the defaults are the uncased model's.
 * @returns The words in order; none is empty.
 */
export function bertWords(text: string, options: BertWordsOptions = {}): string[] {
  const { lowercase = true, stripAccents = lowercase, handleChineseChars = true, cleanText = true } = options;
  if (/^[\t\n\r -~]*$/.test(text)) { // ASCII without control characters: nothing to clean, decompose or set apart
    return (lowercase ? text.toLowerCase() : text).match(/[0-9A-Za-z]+|[!-\/:-@\[-`{-~]/g) ?? [];
  }
  let normal = text.toWellFormed();
  if (cleanText || handleChineseChars) normal = cleaned(normal, cleanText, handleChineseChars);
  if (stripAccents) normal = withoutMarks(normal);
  if (lowercase) normal = lowered(normal);
  const words: string[] = [];
  for (const chunk of normal.split(/\p{White_Space}+/u)) {
    let start = 0;
    let position = 0;
    for (const char of chunk) {
      if (within(punctuation, char.codePointAt(0)!)) {
        if (position > start) words.push(chunk.slice(start, position));
        words.push(char);
        start = position + char.length;
      }
      position += char.length;
    }
    if (position > start) words.push(chunk.slice(start, position));
  }
  return words;
}
