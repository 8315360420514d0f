/**
 * Repairs of text that was decoded or typed badly: the parts of ftfy's `fix_text` that open_clip applies.
 *
 * Source: ftfy 6.3.1 (Robyn Speer, Apache-2.0), `fix_text` with its default configuration.
 *
 * @module
 */
import { unescapeWholeHtml, WINDOWS_1252 } from "./html.ts";

const LIGATURES: Record<string, string> = {
  "\u0132": "IJ",
  "\u0133": "ij",
  "\u0149": "\u02bcn",
  "\u01f1": "DZ",
  "\u01f2": "Dz",
  "\u01f3": "dz",
  "\u01c4": "D\u017d",
  "\u01c5": "D\u017e",
  "\u01c6": "d\u017e",
  "\u01c7": "LJ",
  "\u01c8": "Lj",
  "\u01c9": "lj",
  "\u01ca": "NJ",
  "\u01cb": "Nj",
  "\u01cc": "nj",
  "\ufb00": "ff",
  "\ufb01": "fi",
  "\ufb02": "fl",
  "\ufb03": "ffi",
  "\ufb04": "ffl",
  "\ufb05": "\u017ft",
  "\ufb06": "st",
};

/** The fixes that always apply, in ftfy's order, ending with NFC. */
function fixCharacters(text: string): string {
  return text
    .replace(/[\x80-\x9f]/g, (c) => String.fromCharCode(WINDOWS_1252[c.charCodeAt(0) - 0x80]! || c.charCodeAt(0)))
    .replace(/[\u0132\u0133\u0149\u01f1-\u01f3\u01c4-\u01cc\ufb00-\ufb06]/g, (c) => LIGATURES[c]!)
    .replace(/\u3000/g, " ")
    .replace(/[\uff01-\uffef]/g, (c) => c.normalize("NFKC"))
    .replace(/[\u201c-\u201f]/g, '"')
    .replace(/[\u02bc\u2018-\u201b]/g, "'")
    .replace(/\r\n|[\r\u2028\u2029\u0085]/g, "\n")
    .toWellFormed()
    // deno-lint-ignore no-control-regex
    .replace(/\x1b\[(?:\d|;)*[a-zA-Z]/g, "")
    // deno-lint-ignore no-control-regex
    .replace(/[\x00-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]/g, "")
    .normalize("NFC");
}

function fixSegment(segment: string, html: boolean): string {
  for (let text = segment;;) {
    const fixed = fixCharacters(html ? unescapeWholeHtml(text) : text);
    if (fixed === text) return text;
    text = fixed;
  }
}

/** Code units a segment may have, so that no step sees more at once. */
const SEGMENT = 1_000_000;

/**
 * Repairs a text line by line: HTML references (until a line holds `<`), C1 controls, ligatures, full-width forms, curly
 * quotes, line ends, surrogates, terminal escapes and control characters, until nothing changes; then NFC.
 *
 * @param text Any string.
 * @returns The repaired text; plain ASCII without references or control characters comes back as it is.
 */
export function fixText(text: string): string {
  if (/^[\t\n -%'-~]*$/.test(text)) return text;
  let html = true;
  let out = "";
  for (let start = 0; start < text.length;) {
    let end = text.indexOf("\n", start) + 1 || text.length;
    if (end - start > SEGMENT) end = start + SEGMENT;
    const segment = text.slice(start, end);
    if (segment.includes("<")) html = false;
    out += fixSegment(segment, html);
    start = end;
  }
  return out;
}
