/**
 * NumPy's legacy random numbers (`numpy.random.RandomState`, MT19937), so that splits published as a seed can be made again.
 *
 * Source: numpy/random/src/mt19937/mt19937.c, distributions.c (`random_interval`) and mtrand.pyx (`shuffle`, `permutation`,
 * `random_sample`, `choice`). NumPy keeps these streams as they are (NEP 19).
 *
 * @module
 */

const N = 624;
const M = 397;

/** A generator's state: 624 words and the place of the next. Changed by every draw. */
export interface RandomState {
  /** The words. */
  key: Uint32Array;
  /** Words already used, 0 to 624. */
  index: number;
}

/** The next word of a sequence is made of the last one, its two highest bits folded down, times a multiplier. */
function folded(word: number, multiplier: number): number {
  return Math.imul(word ^ word >>> 30, multiplier);
}

/** Words from one seed of 32 bits: Knuth's linear recurrence (The Art of Computer Programming 2, 3.3.4), the place added. */
function wordsOfSeed(seed: number): Uint32Array {
  const key = Uint32Array.of(seed, ...new Uint32Array(N - 1));
  for (let place = 1; place < N; place++) key[place] = folded(key[place - 1]!, 1812433253) + place;
  return key;
}

/**
 * Words from several seeds, after Matsumoto and Nishimura's revision of 2002: those of a fixed seed are gone through twice, each
 * changed by the word before it, first with the seeds added in turn, then with the places taken off. Place 0 is left out of the
 * round; at the end it gets the one bit that keeps the state from being all zeros.
 */
function wordsOfSeeds(seeds: readonly number[]): Uint32Array {
  const key = wordsOfSeed(19650218);
  let last = key[0]!, turns = 0;
  const change = (multiplier: number, added: (place: number) => number): void => {
    const place = turns++ % (N - 1) + 1;
    key[place] = (key[place]! ^ folded(last, multiplier)) + added(place);
    last = key[place]!;
  };
  for (let n = 0; n < Math.max(N, seeds.length); n++) {
    const index = n % seeds.length;
    change(1664525, () => seeds[index]! + index);
  }
  for (let n = 1; n < N; n++) change(1566083941, (place) => -place);
  key[0] = 0x80000000;
  return key;
}

/**
 * `numpy.random.RandomState(seed)`: one number of 32 bits, or a list of them.
 *
 * @throws {RangeError} If a seed is not a whole number from 0 to 2^32 - 1, or the list is empty.
 */
export function randomState(seed: number | readonly number[]): RandomState {
  const words = typeof seed === "number" ? [seed] : seed;
  if (!words.length || words.some((word) => !Number.isInteger(word) || word < 0 || word > 0xffffffff)) {
    throw new RangeError(
      `Cannot seed a RandomState as a seed must be a whole number from 0 to 2^32 - 1: current value is ${seed}`,
    );
  }
  return { key: typeof seed === "number" ? wordsOfSeed(seed) : wordsOfSeeds(seed), index: N };
}

function refill(key: Uint32Array): void {
  for (let i = 0; i < N; i++) {
    const y = (key[i]! & 0x80000000) | (key[(i + 1) % N]! & 0x7fffffff);
    key[i] = key[(i + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
  }
}

/** The next 32 random bits. */
export function nextUint32(state: RandomState): number {
  if (state.index >= N) {
    refill(state.key);
    state.index = 0;
  }
  let y = state.key[state.index++]!;
  y ^= y >>> 11;
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  y ^= y >>> 18;
  return y >>> 0;
}

/**
 * A whole number from 0 to `max`, both included, by masking and rejection: 32 bits a try up to 2^32 - 1, 64 bits past it.
 *
 * @throws {RangeError} If `max` is not a whole number from 0 to 2^53 - 1.
 */
export function randomInterval(state: RandomState, max: number): number {
  if (!Number.isSafeInteger(max) || max < 0) {
    throw new RangeError(`Cannot draw from 0 to max as max must be a whole number >= 0: current value is ${max}`);
  }
  if (max === 0) return 0;
  if (max <= 0xffffffff) {
    const mask = 0xffffffff >>> Math.clz32(max);
    for (;;) {
      const value = (nextUint32(state) & mask) >>> 0;
      if (value <= max) return value;
    }
  }
  const highMask = 0xffffffff >>> Math.clz32(Math.floor(max / 2 ** 32));
  for (;;) {
    const high = (nextUint32(state) & highMask) >>> 0;
    const value = high * 2 ** 32 + nextUint32(state);
    if (value <= max) return value;
  }
}

/** `permutation(n)`: the whole numbers below `n`, shuffled. */
export function permutation(state: RandomState, n: number): number[] {
  return shuffle(state, Array.from({ length: n }, (_, i) => i));
}

/** `shuffle(x)` of a one-dimensional array; this one returns a copy. */
function shuffle<T>(state: RandomState, items: readonly T[]): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = randomInterval(state, i);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

/**
 * `choice(n, size, replace=False)`, which is also how pandas' `DataFrame.sample(size, random_state=seed)` picks its rows.
 *
 * @returns `size` different places below `n`, in the order drawn.
 * @throws {RangeError} If `size` is not a whole number from 0 to `n`.
 */
export function choiceWithoutReplacement(state: RandomState, options: { n: number; size: number }): number[] {
  const { n, size } = options;
  if (!Number.isInteger(size) || size < 0 || size > n) {
    throw new RangeError(
      `Cannot choose without replacement as size must be a whole number from 0 to ${n}: current value is ${size}`,
    );
  }
  return permutation(state, n).slice(0, size);
}
