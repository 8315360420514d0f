/** How long the texts of a batch are made. @module */

/**
 * `context`: every text has the model's context length, as released. `longest`: the length of the longest text of its
 * batch. Attention never sees pads, so without ACE-HGNN the numbers are the same; ACE-HGNN's similarities do see them.
 */
export type Padding = "context" | "longest";

/** The lengths there are. */
export const PADDINGS: readonly Padding[] = ["context", "longest"];

/**
 * Texts without the columns that hold pads (0) alone.
 *
 * @param ids Token ids, row-major `[B, length]`.
 * @param length Tokens a text.
 * @returns The ids, row-major, and the tokens a text that are left (at least one).
 */
export function trimPads(ids: Int32Array, length: number): { ids: Int32Array; length: number } {
  const rows = ids.length / length;
  let longest = 1;
  for (let row = 0; row < rows; row++) {
    let end = length;
    while (end > longest && ids[row * length + end - 1] === 0) end--;
    longest = Math.max(longest, end);
  }
  if (longest === length) return { ids, length };
  const out = new Int32Array(rows * longest);
  for (let row = 0; row < rows; row++) out.set(ids.subarray(row * length, row * length + longest), row * longest);
  return { ids: out, length: longest };
}
