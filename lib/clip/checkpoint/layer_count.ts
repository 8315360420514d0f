/** How many layers the names of a checkpoint speak of. @module */

/**
 * One more than the highest number that follows `prefix`. A number as high as the count of all names is no layer's: one name
 * must not make a model of a billion layers.
 *
 * @param shapes The checkpoint's tensors by name.
 */
export function layerCount(shapes: ReadonlyMap<string, unknown>, prefix: string): number {
  let count = 0;
  for (const name of shapes.keys()) {
    const match = name.startsWith(prefix) && /^(\d+)\./.exec(name.slice(prefix.length));
    if (match && Number(match[1]) < shapes.size) count = Math.max(count, Number(match[1]) + 1);
  }
  return count;
}
