/** Masks as COCO writes them: counts of 0 and 1 in turn down the columns, plain or compressed to a text. @module */
import type { BinaryMask } from "./types.ts";

/** Lengths of runs of 0 and 1 in turn, beginning with 0, down the columns: what `decodeCocoCounts` reads. */
export function encodeCocoCounts({ width, height, data }: BinaryMask): number[] {
  const counts: number[] = [];
  let value = 0, length = 0;
  for (let column = 0; column < width; column++) {
    for (let row = 0; row < height; row++) {
      const set = data[row * width + column] ? 1 : 0;
      if (set !== value) {
        counts.push(length);
        value = set;
        length = 0;
      }
      length++;
    }
  }
  counts.push(length);
  return counts;
}

/**
 * Counts as COCO's compressed text: each count, from the fourth on less the one two before it, in groups of five bits, lowest
 * first, 48 added to make a character; the sixth bit says that more follow.
 *
 * Source: cocoapi `maskApi.c`, `rleToString`.
 */
export function compressCocoCounts(counts: readonly number[]): string {
  let text = "";
  counts.forEach((count, i) => {
    let rest = i > 2 ? count - counts[i - 2]! : count;
    for (let more = true; more;) {
      const bits = rest & 0x1f;
      rest >>= 5;
      more = bits & 0x10 ? rest !== -1 : rest !== 0;
      text += String.fromCharCode((more ? bits | 0x20 : bits) + 48);
    }
  });
  return text;
}

/**
 * The inverse of {@linkcode compressCocoCounts}.
 *
 * @throws {RangeError} If a character is not one of the form, the text ends within a count, or a count is negative.
 */
export function expandCocoCounts(text: string): number[] {
  const counts: number[] = [];
  for (let position = 0; position < text.length;) {
    let value = 0;
    for (let shift = 0, more = true; more; shift += 5, position++) {
      const bits = text.charCodeAt(position) - 48;
      if (!(bits >= 0 && bits < 64) || shift > 25) {
        const current = position < text.length ? JSON.stringify(text[position]) : "its end";
        throw new RangeError(
          `Cannot expand COCO's counts as each must be whole groups of six bits: found ${current} at character ${
            position + 1
          }`,
        );
      }
      value |= (bits & 0x1f) << shift;
      more = (bits & 0x20) !== 0;
      if (!more && bits & 0x10) value |= -1 << (shift + 5);
    }
    if (counts.length > 2) value += counts[counts.length - 2]!;
    if (value < 0) {
      throw new RangeError(`Cannot expand COCO's counts as they must be >= 0: count ${counts.length + 1} is ${value}`);
    }
    counts.push(value);
  }
  return counts;
}
