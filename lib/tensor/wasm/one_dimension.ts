/** Where two shapes differ. @module */

/** The only dimension in which the shapes differ, or undefined where there is none or more than one. */
export function oneDimension(a: readonly number[], b: readonly number[]): number | undefined {
  const differing = a.flatMap((size, d) => size === b[d] ? [] : [d]);
  return differing.length === 1 ? differing[0] : undefined;
}
