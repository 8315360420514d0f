/** A check of TIFF's LZW data, as the decoder takes codes that mean nothing. TIFF 6.0, section 13. @module */

const CLEAR = 256, END = 257, FIRST = 258, MAX_CODES = 4095;

/**
 * How many bytes the data stand for, up to `size`.
 *
 * @throws {Error} If a code is not in the table yet, the table overflows, or the data end within a code.
 */
export function lzwLength(data: Uint8Array, size: number): number {
  const lengths = new Uint16Array(MAX_CODES + 1);
  let next = FIRST, width = 9, previous = 0; // length of the code before, 0 after a clear
  let bits = 0, count = 0, offset = 0;
  for (let out = 0;;) {
    if (out >= size) return out;
    while (count < width) {
      const byte = data[offset++];
      if (byte === undefined) return out;
      bits = (bits << 8 | byte) & 0xffffff;
      count += 8;
    }
    count -= width;
    const code = bits >> count & (1 << width) - 1;
    if (code === END) return out;
    if (code === CLEAR) {
      next = FIRST;
      width = 9;
      previous = 0;
      continue;
    }
    const length = code < CLEAR ? 1 : code < next ? lengths[code]! : code === next && previous > 0 ? previous + 1 : 0;
    if (length === 0 || (previous === 0 && code >= CLEAR)) {
      throw new Error("its LZW data have a code that is not in the table");
    }
    if (previous > 0) {
      if (next > MAX_CODES) throw new Error("its LZW data never clear their table");
      lengths[next++] = previous + 1;
      if (next === (1 << width) - 1 && width < 12) width++;
    }
    out += length;
    previous = length;
  }
}
