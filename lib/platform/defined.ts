/** Options that may be left out. @module */

/**
 * The fields that have a value: `{ size, ...defined({ signal }) }` has no `signal` where there is none, as
 * `exactOptionalPropertyTypes` asks of an optional field.
 */
export function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
