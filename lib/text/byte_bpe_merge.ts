/** The merging of byte-pair encoding, in `n log n` steps for a word of n bytes. @module */

/** Merges by pair of ids. */
export interface MergeTable {
  /** Rank of a pair, under {@linkcode pairKey}; the lowest is merged first. */
  ranks: ReadonlyMap<number, number>;
  /** The id each rank's pair becomes. */
  merged: Int32Array;
}

const ID_LIMIT = 2 ** 24;
const PLACE_LIMIT = 2 ** 28;

/** One number for a pair of ids below 2^24. */
export function pairKey(left: number, right: number): number {
  return left * ID_LIMIT + right;
}

/**
 * Merges the symbols of a word: always the pair of the lowest rank, of equals the leftmost.
 *
 * Source: Sennrich et al. 2016; Hugging Face tokenizers `Word::merge_all`.
 *
 * @param symbols Ids; changed in place.
 * @returns The ids that are left, in order.
 */
export function mergeSymbols(symbols: Int32Array, { ranks, merged }: MergeTable): number[] {
  const size = symbols.length;
  const next = Int32Array.from(symbols, (_, i) => i + 1 < size ? i + 1 : -1);
  const previous = Int32Array.from(symbols, (_, i) => i - 1);
  const rankAt = (place: number): number | undefined => {
    const after = next[place]!;
    return after < 0 ? undefined : ranks.get(pairKey(symbols[place]!, symbols[after]!));
  };
  const heap: number[] = []; // rank · 2^28 + place
  const add = (place: number): void => {
    const rank = place < 0 ? undefined : rankAt(place);
    if (rank !== undefined) push(heap, rank * PLACE_LIMIT + place);
  };
  for (let place = 0; place + 1 < size; place++) add(place);
  while (heap.length > 0) {
    const top = pop(heap);
    const place = top % PLACE_LIMIT;
    const rank = (top - place) / PLACE_LIMIT;
    if (symbols[place]! < 0 || rankAt(place) !== rank) continue; // overtaken by another merge
    const gone = next[place]!;
    symbols[place] = merged[rank]!;
    symbols[gone] = -1;
    next[place] = next[gone]!;
    if (next[gone]! >= 0) previous[next[gone]!] = place;
    add(previous[place]!);
    add(place);
  }
  return [...symbols.filter((id) => id >= 0)];
}

function push(heap: number[], value: number): void {
  let node = heap.length;
  heap.push(value);
  while (node > 0) {
    const parent = (node - 1) >> 1;
    if (heap[parent]! <= value) break;
    heap[node] = heap[parent]!;
    node = parent;
  }
  heap[node] = value;
}

function pop(heap: number[]): number {
  const top = heap[0]!;
  const value = heap.pop()!;
  const size = heap.length;
  if (size === 0) return top;
  let node = 0;
  for (let child = 1; child < size; child = 2 * node + 1) {
    if (child + 1 < size && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= value) break;
    heap[node] = heap[child]!;
    node = child;
  }
  heap[node] = value;
  return top;
}
