/**
 * Mojibake: UTF-8 that was read as single bytes. Text such as "effusion â€“ small" becomes "effusion – small".
 *
 * Source: ftfy 6.3.1 `fix_encoding` (Robyn Speer, Apache-2.0). "Bytes" here are strings of the code units 0 to 255.
 *
 * @module
 */
import * as tables from "./mojibake_tables.ts";

const BAD = new RegExp(tables.BADNESS, "u");
const DETECTOR = new RegExp(tables.UTF8_DETECTOR, "gu");

/** A single-byte encoding. Sloppy ones also write U+FFFD, as the byte 0x1A. */
interface Encoding {
  sloppy: boolean;
  macroman: boolean;
  bytes: ReadonlyMap<string, string>;
}

function encoding(high: string, options: { sloppy?: boolean; macroman?: boolean } = {}): Encoding {
  const { sloppy = false, macroman = false } = options;
  const bytes = new Map<string, string>();
  for (let i = 0; i < 128; i++) bytes.set(String.fromCharCode(i), String.fromCharCode(i));
  if (sloppy) {
    bytes.delete("\x1a");
    bytes.set("\ufffd", "\x1a");
  }
  for (let i = 0; i < 128; i++) bytes.set(high[i]!, String.fromCharCode(128 + i));
  return { sloppy, macroman, bytes };
}

const LATIN_1 = encoding(Array.from({ length: 128 }, (_, i) => String.fromCharCode(128 + i)).join(""));

/** In the order they are tried. */
const ENCODINGS: readonly Encoding[] = [
  LATIN_1,
  encoding(tables.WINDOWS_1252, { sloppy: true }),
  encoding(tables.WINDOWS_1251, { sloppy: true }),
  encoding(tables.WINDOWS_1250, { sloppy: true }),
  encoding(tables.WINDOWS_1253, { sloppy: true }),
  encoding(tables.WINDOWS_1254, { sloppy: true }),
  encoding(tables.WINDOWS_1257, { sloppy: true }),
  encoding(tables.ISO_8859_2),
  encoding(tables.MACROMAN, { macroman: true }),
  encoding(tables.CP437),
];

/** The bytes of a text, or undefined if it has a character the encoding lacks. */
function encode(text: string, { bytes }: Encoding): string | undefined {
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const byte = bytes.get(text[i]!);
    if (byte === undefined) return undefined;
    out += byte;
  }
  return out;
}

/** Sequences that would be UTF-8 if a space were the byte 0xA0. */
const ALTERED =
  /[\xc2\xc3\xc5\xce\xd0\xd9][ ]|[\xe2\xe3][ ][\x80-\x84\x86-\x9f\xa1-\xbf]|[\xe0-\xe3][\x80-\x84\x86-\x9f\xa1-\xbf][ ]|\xf0[ ][\x80-\xbf][\x80-\xbf]|\xf0[\x80-\xbf][ ][\x80-\xbf]|\xf0[\x80-\xbf][\x80-\xbf][ ]/g;

/** Sequences that would be UTF-8 if it were known which byte 0x1A (or one "?") stood for. */
const LOSSY =
  // deno-lint-ignore no-control-regex
  /[\xc2-\xdf]\x1a|[\xc2-\xc3][?]|\xed[\xa0-\xaf][\x1a?]\xed[\xb0-\xbf][\x1a?\x80-\xbf]|\xed[\xa0-\xaf][\x1a?\x80-\xbf]\xed[\xb0-\xbf][\x1a?]|[\xe0-\xef][\x1a?][\x1a\x80-\xbf]|[\xe0-\xef][\x1a\x80-\xbf][\x1a?]|[\xf0-\xf4][\x1a?][\x1a\x80-\xbf][\x1a\x80-\xbf]|[\xf0-\xf4][\x1a\x80-\xbf][\x1a?][\x1a\x80-\xbf]|[\xf0-\xf4][\x1a\x80-\xbf][\x1a\x80-\xbf][\x1a?]|\x1a/g;

/** A space after 0xC3 that is a word's end: "Ã la" was "à la", but "Ã s " was "às ". */
const A_GRAVE_WORD = /\xc3 (?! |quele|quela|quilo|s )/g;

function restoreA0(bytes: string): string {
  return bytes.replace(A_GRAVE_WORD, "\xc3\xa0 ").replace(ALTERED, (match) => match.replaceAll(" ", "\xa0"));
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Decodes UTF-8, surrogate pairs written as three bytes each (CESU-8) and Java's null among it; undefined if it is not. */
function decodeUtf8(bytes: string): string | undefined {
  let source = bytes;
  if (/[\xed\xc0]/.test(bytes)) {
    source = bytes.replaceAll("\xc0\x80", "\0").replace(
      /\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]/g,
      (match) => {
        const at = (i: number): number => match.charCodeAt(i);
        const point = ((at(1) & 0x0f) << 16) + ((at(2) & 0x3f) << 10) + ((at(4) & 0x0f) << 6) + (at(5) & 0x3f) +
          0x10000;
        return String.fromCharCode(...new TextEncoder().encode(String.fromCodePoint(point)));
      },
    );
  }
  try {
    return utf8.decode(Uint8Array.from(source, (char) => char.charCodeAt(0)));
  } catch {
    return undefined;
  }
}

/** Decodes the parts that are clearly UTF-8, each by itself. */
function decodeParts(text: string): string {
  return text.replace(DETECTOR, (part) => part.length < text.length && BAD.test(part) ? fixEncoding(part) : part);
}

/** Latin-1 read as Windows-1252, undefined if a byte has no character there. */
function asWindows1252(text: string): string | undefined {
  if (/[\x81\x8d\x8f\x90\x9d]/.test(text)) return undefined;
  return fixC1Controls(text);
}

/** The C1 control characters as Windows-1252 reads their bytes; those it has no character for stay. */
export function fixC1Controls(text: string): string {
  return text.replace(/[\x80-\x9f]/g, (char) => tables.WINDOWS_1252[char.charCodeAt(0) - 0x80]!);
}

function fixOnce(text: string): string {
  // deno-lint-ignore no-control-regex
  if (/^[\x00-\x7f]*$/.test(text) || !BAD.test(text)) return text;
  for (const candidate of ENCODINGS) {
    let bytes = encode(text, candidate);
    if (bytes === undefined) continue;
    if (!candidate.macroman && bytes.search(ALTERED) >= 0) bytes = restoreA0(bytes);
    if (candidate.sloppy) bytes = bytes.replace(LOSSY, "\xef\xbf\xbd");
    const decoded = decodeUtf8(bytes);
    if (decoded !== undefined) return decoded;
  }
  const parts = decodeParts(text);
  if (parts !== text) return parts;
  if (encode(text, LATIN_1) !== undefined) {
    const fixed = asWindows1252(text);
    if (fixed !== undefined && fixed !== text) return fixed;
  }
  return fixC1Controls(text);
}

/**
 * Undoes mojibake, as often as it was done. Text that does not look like mojibake comes back as it is.
 *
 * @param text One line, or any piece.
 */
export function fixEncoding(text: string): string {
  for (let now = text;;) {
    const fixed = fixOnce(now);
    if (fixed === now) return now;
    now = fixed;
  }
}
