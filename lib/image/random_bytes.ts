/** Bytes of a file of which only some are read. @module */

/** Bytes that are read where they are asked for. */
export interface RandomBytes {
  /** How many there are. */
  size: number;
  /** Those from `start` on: `count`, or as many as there are. */
  at(start: number, count: number): Promise<Uint8Array>;
}

/** The numbers in bytes. */
export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/**
 * The fields of a TIFF's first directory. TIFF 6.0, section 2.
 *
 * @returns What reads the numbers of the first tag of those given that is there; none where none is.
 */
export async function tiffFields({ at }: RandomBytes): Promise<(...tags: number[]) => Promise<number[]>> {
  const header = await at(0, 8);
  const isLittle = header[0] === 0x49;
  const directory = viewOf(header).getUint32(4, isLittle);
  const entries = viewOf(await at(directory + 2, 12 * viewOf(await at(directory, 2)).getUint16(0, isLittle)));
  return async (...tags) => {
    for (let entry = 0; entry < entries.byteLength; entry += 12) {
      if (!tags.includes(entries.getUint16(entry, isLittle))) continue;
      const isShort = entries.getUint16(entry + 2, isLittle) === 3;
      const [count, width] = [entries.getUint32(entry + 4, isLittle), isShort ? 2 : 4];
      const isInline = count * width <= 4;
      const view = isInline ? entries : viewOf(await at(entries.getUint32(entry + 8, isLittle), count * width));
      return Array.from({ length: count }, (_, i) => {
        const place = (isInline ? entry + 8 : 0) + i * width;
        return isShort ? view.getUint16(place, isLittle) : view.getUint32(place, isLittle);
      });
    }
    return [];
  };
}
