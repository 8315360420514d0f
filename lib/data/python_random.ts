/**
 * Python's `random.Random`, so that draws published as a seed can be made again.
 *
 * Source: CPython Modules/_randommodule.c (`random_seed`, `getrandbits`) and Lib/random.py (`_randbelow`, `sample`), as they have
 * been since 3.2.
 *
 * @module
 */
import { nextUint32, type RandomState, randomState } from "./numpy_random.ts";

/**
 * `random.Random(seed)` for a whole number from 0 to 2^32 - 1: the state that NumPy makes of a list of one word.
 *
 * @throws {RangeError} If the seed is another number.
 */
export function pythonRandom(seed: number): RandomState {
  return randomState([seed]);
}

/** `_randbelow(n)`: a whole number below `n`, from as many bits as `n` has, drawn again where they are too many. */
function below(state: RandomState, n: number): number {
  const unused = Math.clz32(n);
  for (;;) {
    const value = nextUint32(state) >>> unused;
    if (value < n) return value;
  }
}

/**
 * `sample(items, k)`: `k` different items in the order drawn. Few of many are drawn by rejection, else out of a pool.
 *
 * @param items At most 2^32 - 1.
 * @throws {RangeError} If `k` is not a whole number from 0 to the number of items.
 */
export function pythonSample<T>(state: RandomState, items: readonly T[], k: number): T[] {
  const n = items.length;
  if (!Number.isInteger(k) || k < 0 || k > n) {
    throw new RangeError(`Cannot draw a sample as its size must be from 0 to ${n}: current value is ${k}`);
  }
  // A set of k takes about as much room as a pool of this size.
  const room = 21 + (k > 5 ? 4 ** Math.ceil(Math.log(3 * k) / Math.log(4)) : 0);
  if (n > room) {
    const drawn = new Set<number>();
    while (drawn.size < k) drawn.add(below(state, n));
    return [...drawn].map((i) => items[i]!);
  }
  const pool = [...items];
  return Array.from({ length: k }, (_, i) => {
    const place = below(state, n - i);
    const item = pool[place]!;
    pool[place] = pool[n - i - 1]!;
    return item;
  });
}
