/** An order of strings that does not depend on the locale. @module */

/** Compares two strings by code point, as Python and pandas sort them. */
export function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const bothHigh = x >= 0xd800 && y >= 0xd800; // surrogates come after U+FFFF, not before U+E000
    return bothHigh && (x < 0xe000) !== (y < 0xe000) ? y - x : x - y;
  }
  return a.length - b.length;
}
