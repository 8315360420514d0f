/** Keys and entries of records whose keys the types know; `Object` calls them `string`. @module */

/** The record's own keys, in order. It must have no others than its type names. */
export function keysOf<K extends string>(record: Readonly<Partial<Record<K, unknown>>>): K[] {
  return Object.keys(record) as K[];
}

/** The record's own keys and values, in order; as {@linkcode keysOf}. */
export function entriesOf<K extends string, V>(record: Readonly<Partial<Record<K, V>>>): [K, V][] {
  return Object.entries(record) as [K, V][];
}

/** The record of these entries. The keys must be all that their type names. */
export function recordOf<K extends string, V>(entries: Iterable<readonly [K, V]>): Record<K, V> {
  return Object.fromEntries(entries) as Record<K, V>;
}
