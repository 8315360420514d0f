/**
 * The cleaning open_clip gives every text before its Hugging Face tokeniser sees it.
 *
 * Source: open_clip 3.3 `tokenizer.py`: `HFTokenizer(clean="whitespace")` (the default, which BiomedCLIP's configuration does
 * not change) applies `ftfy.fix_text`, then `html.unescape` twice, then collapses white space. No lower-casing: BERT does that.
 *
 * @module
 */
import { fixText } from "./fix_text.ts";
import { unescapeHtml } from "./html.ts";

/** Python's `str.split()` separators: not the same as JavaScript's `\s` (U+001C to U+001F and U+0085 in, U+FEFF out). */
// deno-lint-ignore no-control-regex
const WHITE_SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g;

/** Collapses runs of white space to one space and strips both ends, as Python's `" ".join(text.split())`. */
export function collapseWhitespace(text: string): string {
  return text.replace(WHITE_SPACE, " ").replace(/^ | $/g, "");
}

/**
 * Cleans a text as open_clip does: {@linkcode fixText}, HTML references decoded twice, white space collapsed.
 *
 * @param text Any string.
 * @returns The text the tokeniser is given.
 */
export function cleanText(text: string): string {
  return collapseWhitespace(unescapeHtml(unescapeHtml(fixText(text))));
}
