/** Which pairs of a batch are false negatives. @module */

import { checkValue, LISTS, shown } from "../platform/options.ts";

/** A label: positive, negative, uncertain, blank. */
export type Label = 1 | 0 | -1 | null;

/**
 * The pair mask of label-guided InfoNCE: 0 for off-diagonal pairs whose label rows are identical, else 1. Blank and
 * uncertain labels count as 0, so two rows without any positive label are identical.
 *
 * Source: ACE-LoRA, method section 4.
 *
 * @param labels One row of labels per sample.
 * @returns Row-major, shape `[B, B]`.
 * @throws {TypeError} If the rows differ in length.
 * @throws {RangeError} If a label is none of 1, 0, -1, blank.
 *
 * @example Two studies with the same labels, and another
 * ```ts
 * import { falseNegativeMask } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * const mask = falseNegativeMask([[1, 0], [1, 0], [0, null]]);
 * assertEquals([...mask], [1, 0, 1, 0, 1, 1, 1, 1, 1]);
 * ```
 */
export function falseNegativeMask(labels: readonly (readonly Label[])[]): Float32Array<ArrayBuffer> {
  checkValue("compare label rows", "labels", labels, LISTS);
  const keys = labels.map((row, i) => {
    if (row.length !== labels[0]!.length) {
      throw new TypeError(
        `Cannot compare label rows as row ${i} has ${row.length} labels: expected ${labels[0]!.length}`,
      );
    }
    return row.map((value) => {
      if (value !== 1 && value !== 0 && value !== -1 && value !== null) {
        throw new RangeError(
          `Cannot use a label as it must be 1, 0, -1 or blank: current value is ${shown(value)} in row ${i}`,
        );
      }
      return value === 1 ? 1 : 0;
    }).join("");
  });
  const mask = new Float32Array(keys.length ** 2).fill(1);
  keys.forEach((key, i) =>
    keys.forEach((other, j) => {
      if (i !== j && key === other) mask[i * keys.length + j] = 0;
    })
  );
  return mask;
}
