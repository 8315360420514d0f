/** Rows and columns of the last two dimensions of a tensor, as they are after the transposition. @module */

/** They are there: a product has been asked for. */
export function matrixShape(shape: readonly number[], transpose: boolean): [rows: number, columns: number] {
  const [rows, columns] = [shape.at(-2)!, shape.at(-1)!];
  return transpose ? [columns, rows] : [rows, columns];
}
