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

/** Least number of groups of five bits that hold a whole number with its sign. */
function groupsOf(value: number): number {
  const signed = 33 - Math.clz32(value < 0 ? ~value : value);
  return Math.ceil(signed / 5);
}

/**
 * Counts as COCO's compressed text: signed LEB128 in groups of five bits, lowest first, each as the character of 48 plus the
 * group, plus 32 where more groups of its number follow. From the fourth on, a count is less the one two before it.
 *
 * Source: COCO's `rleToString`, whose texts these are.
 */
export function compressCocoCounts(counts: readonly number[]): string {
  const words = counts.map((count, i) => {
    const value = i > 2 ? count - counts[i - 2]! : count;
    const groups = Array.from({ length: groupsOf(value) }, (_, group) => value >> 5 * group & 31);
    return String.fromCharCode(...groups.map((bits, group) => 48 + bits + (group + 1 < groups.length ? 32 : 0)));
  });
  return words.join("");
}

/** A number: groups that more follow, 80 to 111 ("P" to "o"), and one that ends it, 48 to 79 ("0" to "O"); 30 bits at most. */
const NUMBER = /[P-o]{0,5}[0-O]/y;

/**
 * The inverse of {@linkcode compressCocoCounts}.
 *
 * @throws {RangeError} If a character is not one of the form, the text ends within a count, or a count is negative.
 */
export function expandCocoCounts(text: string): number[] {
  const counts: number[] = [];
  for (let start = 0; start < text.length; start = NUMBER.lastIndex) {
    NUMBER.lastIndex = start;
    const word = NUMBER.exec(text)?.[0];
    if (word === undefined) throw notCounts(text, start);
    const groups = Array.from(word, (character) => character.charCodeAt(0) - 48 & 31);
    const highest = groups.pop()!;
    const difference = groups.reduceRight((value, bits) => value * 32 + bits, highest < 16 ? highest : highest - 32);
    const value = counts.length > 2 ? difference + counts[counts.length - 2]! : difference;
    if (value < 0) {
      throw new RangeError(`Cannot expand COCO's counts as they must be >= 0: count ${counts.length + 1} is ${value}`);
    }
    counts.push(value);
  }
  return counts;
}

/** The error for a text whose number at `start` is none. */
function notCounts(text: string, start: number): RangeError {
  const good = /^[P-o]{0,6}/.exec(text.slice(start))![0].length; // the seventh group would be past 30 bits
  const position = start + good;
  const current = position < text.length ? JSON.stringify(text[position]) : "its end";
  return new RangeError(
    `Cannot expand COCO's counts as each must be whole groups of six bits: found ${current} at character ${
      position + 1
    }`,
  );
}
