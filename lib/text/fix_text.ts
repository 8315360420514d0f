/**
 * Repairs of text that was decoded or typed badly: the parts of ftfy's `fix_text` that open_clip applies.
 *
 * Source: ftfy 6.3.1 (Robyn Speer, Apache-2.0), `fix_text` with its default configuration.
 *
 * @module
 */
import { unescapeWholeHtml } from "./html.ts";
import { fixC1Controls, fixEncoding } from "./mojibake.ts";

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
  return fixC1Controls(fixEncoding(text))
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

/** An ampersand escaped any number of times, `&amp;amp;amp;`: taken at once, as one level a round would take ages. */
const AMPERSANDS = /&(?:(?:amp|AMP|#0{0,18}38|#[xX]0{0,18}26);)+/g;

function fixSegment(segment: string, html: boolean): string {
  for (let text = segment;;) {
    const fixed = fixCharacters(html ? unescapeWholeHtml(text.replace(AMPERSANDS, "&amp;")) : text);
    if (fixed === text) return text;
    text = fixed;
  }
}

/** Code units after which a line is cut in two (ftfy counts code points). */
const SEGMENT = 1_000_000;

/**
 * Repairs a text line by line: HTML references (until a line holds `<`), mojibake, C1 controls, ligatures, full-width forms, curly
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
