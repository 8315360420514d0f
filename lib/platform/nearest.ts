/** Words in messages: which known word a mistyped one stands for, and several in a row. @module */

/** Changes that make one word of the other: letters put in, left out, replaced, or two neighbours swapped. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(replaced, last[j]! + 1, row[j - 1]! + 1);
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j]!, before[j - 2]! + 1);
    }
    [before, last] = [last, row];
  }
  return last[b.length]!;
}

/** Words longer than this are compared by equality alone. */
const LONGEST = 200;

const plain = (word: string): string => word.toLowerCase().replaceAll(/[\s_-]+/g, "-");

/** What stands before the last hyphen, where both words have the same after it: `split` of `split-column` beside `id-column`. */
function stemOf(word: string, other: string): string {
  const end = word.slice(word.lastIndexOf("-"));
  return word.includes("-") && plain(other).endsWith(end) ? word.slice(0, -end.length) : word;
}

/**
 * The known word nearest to one that is unknown: at most a third of its letters differ, an end in common aside, or it is its initials
 * (`lr` for `learning-rate`), or the end or the beginning of it alone. Case and the kind of hyphen do not count.
 *
 * @returns The first of the nearest, or undefined when none is near.
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  const wanted = plain(word);
  if (wanted === "" || wanted.length > LONGEST) return undefined;
  const words = [...known].filter((other) => other.length <= LONGEST);
  const ended = words.filter((other) => wanted.length > 2 && plain(other).endsWith(wanted));
  if (ended.length === 1) return ended[0]; // "gpu" is the end of "webgpu" rather than a slip of "cpu"
  let best: { word: string; distance: number } | undefined;
  for (const other of words) {
    const distance = editDistance(wanted, plain(other));
    if (distance < (best?.distance ?? Infinity)) best = { word: other, distance };
  }
  if (best) {
    const { length } = stemOf(wanted, best.word);
    if (best.distance <= Math.max(1, Math.floor(length / 3)) && best.distance < length) return best.word;
  }
  const initials = (other: string): string => plain(other).split("-").map((part) => part[0] ?? "").join("");
  const short = words.filter((other) => wanted.length > 1 && initials(other) === wanted);
  const begun = words.filter((other) => wanted.length > 2 && plain(other).startsWith(wanted));
  return short[0] ?? (begun.length === 1 ? begun[0] : undefined);
}

/** ` (did you mean "note"?)`, or nothing when no known word is near. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const near = nearest(word, known);
  return near === undefined ? "" : ` (did you mean ${JSON.stringify(near)}?)`;
}

/** Words as a sentence has them: `a`, `a and b`, `a, b and c`. */
export function inSentence(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** Names for a message: at most `most`, then how many more there are. */
export function listed(names: readonly string[], most = 20): string {
  const more = names.length - most;
  return `${names.slice(0, most).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
