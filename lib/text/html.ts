/** HTML character references, decoded as Python's `html.unescape` and ftfy's `unescape_html` do. @module */
import { decode as decodeNamed } from "he";

/** Bytes 0x80 to 0x9F in Windows-1252, which numeric references there mean; 0 keeps the control character. */
export const WINDOWS_1252: readonly number[] = [
  ...[0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0],
  ...[
    0,
    0x2018,
    0x2019,
    0x201c,
    0x201d,
    0x2022,
    0x2013,
    0x2014,
    0x02dc,
    0x2122,
    0x0161,
    0x203a,
    0x0153,
    0,
    0x017e,
    0x0178,
  ],
];

function numeric(reference: string): string {
  const digits = reference.slice(1).replace(";", "");
  const point = /^x/i.test(digits) ? parseInt(digits.slice(1), 16) : parseInt(digits, 10);
  if (point === 0 || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return "\ufffd";
  if (point === 0x0d) return "\r";
  if (point >= 0x80 && point <= 0x9f) return String.fromCodePoint(WINDOWS_1252[point - 0x80]! || point);
  const invalid = (point < 0x20 && point !== 0x09 && point !== 0x0a && point !== 0x0c) || point === 0x7f ||
    (point >= 0xfdd0 && point <= 0xfdef) || (point & 0xfffe) === 0xfffe;
  return invalid ? "" : String.fromCodePoint(point);
}

/**
 * Decodes every character reference once, also those without their semicolon: `&amp;lt` gives `&lt`.
 *
 * Source: HTML5, in the reading of Python's `html.unescape` (invalid code points vanish).
 */
export function unescapeHtml(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(
    /&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)/gu,
    (match, reference: string) => reference.startsWith("#") ? numeric(reference) : decodeNamed(match),
  );
}

/** The characters of a whole named reference with its semicolon, or undefined. */
function exactName(name: string): string | undefined {
  const decoded = decodeNamed(`&${name};`);
  if (decoded.startsWith("&") && decoded.length > 1) return undefined;
  return decoded.length > 1 && decoded.endsWith(";") ? undefined : decoded;
}

/**
 * Decodes whole references only (with a semicolon), and names written in capitals: `&EACUTE;` gives `É`.
 *
 * Source: ftfy 6.3 `unescape_html`.
 */
export function unescapeWholeHtml(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&(#?[0-9A-Za-z]{1,24});/g, (match, name: string) => {
    if (name.startsWith("#")) {
      const decoded = unescapeHtml(match);
      return decoded.includes(";") ? match : decoded;
    }
    const exact = exactName(name);
    if (exact !== undefined) return exact;
    if (name !== name.toUpperCase() || unescapeHtml(match) !== match) return match;
    return exactName(name.toLowerCase())?.toUpperCase() ?? match;
  });
}
