/** Tuples that stay tuples. @module */

/** `values.map(each)` of as many places as `values` has, where `Array.prototype.map` forgets how many they were. */
export function mapTuple<const V extends readonly unknown[], R>(
  values: V,
  each: (value: V[number], index: number) => R,
): { -readonly [I in keyof V]: R } {
  return values.map(each) as { -readonly [I in keyof V]: R };
}
