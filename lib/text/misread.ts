/**
 * Text that was UTF-8 and was read in a one-byte code page: "effusion â€“ small" was "effusion – small".
 *
 * The rule: a text that re-encodes whole in a legacy code page and is then valid UTF-8 was misread. UTF-8 is so redundant
 * that other text all but never passes. The code pages are those of the WHATWG's Encoding Standard, which `TextDecoder`
 * knows; their tables are built from it when first needed.
 *
 * @module
 */

/**
 * In the order they are tried, the commonest first, so that of two that fit the likelier wins. Left out are those in which
 * plain words are valid UTF-8, as capitals of ISO-8859-5 or small letters of IBM866 ("рад").
 */
const CODE_PAGES = [
  ...["windows-1252", "windows-1250", "windows-1251", "windows-1253", "windows-1254", "windows-1257"],
  ...["iso-8859-2", "macintosh"],
] as const;

/** Bytes by character. C1 controls stand for their own bytes everywhere, so that windows-1252 is Latin-1 as well. */
function byteTable(codePage: string): ReadonlyMap<string, number> {
  const high = Uint8Array.from({ length: 128 }, (_, i) => 128 + i);
  const table = new Map(Array.from(high, (byte) => [String.fromCharCode(byte & 0x9f), byte & 0x9f]));
  [...new TextDecoder(codePage).decode(high)].forEach((char, i) => table.set(char, 128 + i));
  return table;
}

const tables = new Map<string, ReadonlyMap<string, number>>();

function tableOf(codePage: string): ReadonlyMap<string, number> {
  let table = tables.get(codePage);
  if (!table) tables.set(codePage, table = byteTable(codePage));
  return table;
}

/** The bytes of a text, or undefined if it has a character the table lacks or sequences that UTF-8 has not. */
function encode(text: string, table: ReadonlyMap<string, number>): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  let following = 0; // bytes that the sequence begun must still have
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const byte = code < 0x80 ? code : table.get(text[i]!);
    if (byte === undefined || (following > 0) !== (byte >= 0x80 && byte < 0xc0)) return undefined;
    following = following > 0 ? following - 1 : byte < 0xc0 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    bytes[i] = byte;
  }
  return following === 0 ? bytes : undefined;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Whether valid UTF-8 is no accident. Three bytes in a row are none, nor is Â or Ã before a sign (windows-1252 and 1254). Other
 * pairs can be ("Ω·cm" is valid in windows-1253, "2×¼" in windows-1252, "l’école" in macintosh): a windows page must have
 * three. Text of unassigned characters is no answer.
 */
function convinces(decoded: string, codePage: string): boolean {
  if (/[\p{Cn}\p{Co}]/u.test(decoded)) return false;
  // deno-lint-ignore no-control-regex
  const characters: string[] = decoded.match(/[^\x00-\x7f]/gu) ?? [];
  const isLatin = codePage === "windows-1252" || codePage === "windows-1254";
  return characters.some((char) => char > "\u07ff" || (isLatin && char <= "\u00ff")) ||
    (codePage.startsWith("windows") && characters.length >= 3);
}

function readAgain(text: string): string | undefined {
  for (const codePage of CODE_PAGES) {
    const bytes = encode(text, tableOf(codePage));
    const decoded = bytes && decode(bytes);
    if (decoded !== undefined && convinces(decoded, codePage)) return decoded;
  }
  return undefined;
}

/**
 * A line as it was before it was misread, as often as it was; any other line as it is. Where the line does not re-encode
 * whole, because something in it was read rightly, each word is judged by itself.
 *
 * @param line One line.
 */
export function undoMisreading(line: string): string {
  // deno-lint-ignore no-control-regex
  if (/^[\x00-\x7f]*$/.test(line)) return line;
  const before = readAgain(line);
  if (before !== undefined) return undoMisreading(before);
  return line.includes(" ") ? line.replace(/[^ ]+/g, undoMisreading) : line;
}
