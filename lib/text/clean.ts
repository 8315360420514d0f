/**
 * The cleaning of a text before its tokeniser sees it: open_clip's three steps (repair, HTML references, white space) by
 * rules of our own; docs/text.md measures what that changes.
 *
 * @module
 */
import { unescapeHtml } from "./html.ts";
import { undoMisreading } from "./misread.ts";

/** Python's `str.split()` separators: not the same as JavaScript's `\s` (U+001C to U+001F and U+0085 in, U+FEFF out). */
// deno-lint-ignore no-control-regex
const WHITE_SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g;

/** Collapses runs of white space to one space and strips both ends, as Python's `" ".join(text.split())`. */
export function collapseWhitespace(text: string): string {
  return text.replace(WHITE_SPACE, " ").replace(/^ | $/g, "");
}

const windows1252 = new TextDecoder("windows-1252");

/** ECMA-48 control sequences: colours and the like, copied out of a terminal. */
// deno-lint-ignore no-control-regex
const TERMINAL = /\x1b\[[0-?]*[ -/]*[@-~]/g;
/** Controls that are no line end or tab, the deprecated format characters, byte order marks and annotation anchors. */
const UNSEEN = /(?![\t\n\f\r])\p{Cc}|[\u206a-\u206f\ufeff\ufff9-\ufffc]/gu;
/** Characters kept for round trips with old encodings: ligatures, digraphs, full-width and half-width forms, the wide space. */
const COMPATIBILITY = /[\u0132\u0133\u0149\u01c4-\u01cc\u01f1-\u01f3\u3000\ufb00-\ufb06\uff01-\uffee]/g;

/**
 * Repairs a text: misread lines ({@linkcode undoMisreading}), C1 controls (read as windows-1252, which writes them for
 * punctuation), characters kept for compatibility, curly quotes; controls vanish, accents are composed (NFC).
 *
 * @param text Any string.
 * @returns Plain ASCII without controls comes back as it is.
 */
function repairText(text: string): string {
  if (/^[\t\n\r -~]*$/.test(text)) return text;
  return text.toWellFormed()
    .replace(/[^\n]+/g, undoMisreading)
    .replace(/[\x80-\x9f]/g, (char) => windows1252.decode(Uint8Array.of(char.charCodeAt(0))))
    .replace(COMPATIBILITY, (char) => char.normalize("NFKC"))
    .replace(/[\u201c-\u201f]/g, '"')
    .replace(/[\u02bc\u2018-\u201b]/g, "'")
    .replace(/\u2028|\u2029/g, "\n")
    .replace(TERMINAL, "")
    .replace(UNSEEN, "")
    .normalize("NFC");
}

/** How often references are decoded: text that was escaped on its way through three programs is seen, more is not. */
const ESCAPED = 3;

/**
 * Cleans a text: HTML references decoded, {@linkcode repairText}, white space collapsed.
 *
 * @param text Any string.
 * @returns The text the tokeniser is given.
 */
export function cleanText(text: string): string {
  let decoded = text;
  for (let i = 0; i < ESCAPED; i++) decoded = unescapeHtml(decoded);
  return collapseWhitespace(repairText(decoded));
}
