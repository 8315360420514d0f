/** Sorted numbers. @module */

/** How many sorted values, from the first, fulfil a condition that only the first ones do. */
export function countWhile(sorted: Float64Array, holds: (value: number) => boolean): number {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(sorted[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}
