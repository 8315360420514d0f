/** HTML character references, decoded as a browser does and as Python's `html.unescape` does. @module */
import { decode as decodeNamed } from "he";

const windows1252 = new TextDecoder("windows-1252");

/** What a numeric reference stands for. HTML Standard, 13.2.5.80; code points that it calls an error vanish, as in Python. */
function character(point: number): string {
  if (point === 0 || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return "\ufffd";
  if (point >= 0x80 && point <= 0x9f) return windows1252.decode(Uint8Array.of(point));
  const char = String.fromCodePoint(point);
  const isNoncharacter = (point >= 0xfdd0 && point <= 0xfdef) || (point & 0xfffe) === 0xfffe;
  return isNoncharacter || /(?![\t\n\f\r])\p{Cc}/u.test(char) ? "" : char;
}

/**
 * Decodes every character reference once, also those without their semicolon: `&amp;lt` gives `&lt`.
 *
 * @param text Any string.
 */
export function unescapeHtml(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(
    /&(?:#(?:[xX]([0-9a-fA-F]+)|([0-9]+))|[a-zA-Z][a-zA-Z0-9]{1,31});?/g,
    (reference, hex?: string, digits?: string) =>
      hex !== undefined
        ? character(parseInt(hex, 16))
        : digits !== undefined
        ? character(parseInt(digits, 10))
        : decodeNamed(reference),
  );
}
