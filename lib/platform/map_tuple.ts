/** Tuples that stay tuples. @module */

/** `values.map(each)` of as many places as `values` has, where `Array.prototype.map` forgets how many they were. */
export function mapTuple<const V extends readonly unknown[], R>(
  values: V,
  each: (value: V[number], index: number) => R,
): { -readonly [I in keyof V]: R } {
  return values.map(each) as { -readonly [I in keyof V]: R };
}

/** Values that have the types of a tuple. @throws {TypeError} If they are not as many. */
export function asLong<V extends readonly unknown[]>(values: readonly unknown[], tuple: V): V {
  if (isAsLong(values, tuple)) return values;
  throw new TypeError(`Cannot take values as there must be ${tuple.length}: current number is ${values.length}`);
}

function isAsLong<V extends readonly unknown[]>(values: readonly unknown[], tuple: V): values is V {
  return values.length === tuple.length;
}
