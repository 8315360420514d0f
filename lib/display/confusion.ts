/** Figure of a confusion matrix. @module */
import { checkItems, checkValue, NUMBERS, TEXTS } from "../platform/options.ts";
import type { Figure } from "./figure.ts";

/**
 * Confusion matrix as a heat map: shade by the share of the row, text by the count.
 *
 * @param matrix `matrix[t][p]` cases of class `t` called `p`.
 * @param classes One name a row.
 * @returns The figure.
 * @throws {TypeError} If the matrix is not square with one name a row.
 */
export function confusionFigure(matrix: readonly (readonly number[])[], classes: readonly string[]): Figure {
  checkItems("draw a confusion matrix", "matrix", matrix, NUMBERS);
  checkValue("draw a confusion matrix", "classes", classes, TEXTS);
  if (matrix.length !== classes.length || matrix.some((row) => row.length !== classes.length)) {
    throw new TypeError(
      `Cannot draw a confusion matrix as it must be [${classes.length}, ${classes.length}]: current shape is [${matrix.length}, ${
        matrix[0]?.length ?? 0
      }]`,
    );
  }
  const shades = matrix.map((row) => {
    const total = row.reduce((a, b) => a + b, 0);
    return row.map((count) => total === 0 ? 0 : count / total);
  });
  const right = matrix.reduce((sum, row, i) => sum + row[i]!, 0);
  const all = matrix.flat().reduce((a, b) => a + b, 0);
  return {
    marks: [{ kind: "cells", columns: classes, rows: classes, shades, texts: matrix.map((row) => row.map(String)) }],
    x: { title: "predicted", kind: "category" },
    y: { title: "target", kind: "category", reversed: true },
    alt: `Confusion matrix of ${classes.join(", ")}: ${right} of ${all} cases on the diagonal`,
  };
}
