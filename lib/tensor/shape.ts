/** The only makers of shape errors. @module */
import type { Tensor } from "./types.ts";

/**
 * Checks a tensor's shape against a pattern: a number must be equal, `null` may be anything.
 *
 * @throws {TypeError} Naming what was wanted and what was found.
 */
export function checkShape(tensor: Tensor, pattern: readonly (number | null)[], what: string): void {
  const fits = tensor.shape.length === pattern.length &&
    pattern.every((size, i) => size === null || size === tensor.shape[i]);
  if (!fits) {
    const wanted = pattern.map((size) => size ?? "*").join(", ");
    throw new TypeError(`Cannot use ${what} as it must have shape [${wanted}]: current shape is [${tensor.shape}]`);
  }
}
